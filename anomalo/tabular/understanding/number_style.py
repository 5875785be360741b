"""How a column writes numbers: guessed from its texts, read, and written back the same way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular.understanding.number_parts import MAGNITUDES, Numbers, Parts, looks_styled, split, to_floats

MOSTLY = 0.9
"""If this share of a column's cells are of a kind, it is of that kind, and the others are unreadable."""
_HABIT = 0.95
_COMMON = 0.1
_PLUS = 0.8
_MINUSES = ("-", "\u2212", "\u2013")

Counts = NDArray[np.intp]


@dataclass(frozen=True)
class NumberStyle:
    """How the numbers of a column are written.

    Attributes
    ----------
    decimals : int or None
        How many decimals are written at most; None for seven significant digits, with an exponent where that is short.
    least : int
        How many decimals are written at least: trailing zeros fill them.
    comma : bool
        Whether 1,5 is one and a half.
    thousands : str
        What separates thousands; empty for nothing.
    prefix, suffix : str
        A currency before the digits, and a percent sign, a unit or a currency after them, with the space between.
    bare : bool
        Whether numbers are written without prefix and suffix, although some have them.
    negative : str
        "-" or another minus before the number, "()" around it, or "0-" for a minus after it.
    sign_first : bool
        Whether a sign stands before the prefix.
    plus : bool
        Whether positive numbers have a plus.
    magnitudes : tuple of str
        The words for thousands, millions, … after the digits, such as "k"; an empty one for none.
    scaled_space : str
        What stands between the digits and such a word.
    """

    decimals: int | None = None
    least: int = 0
    comma: bool = False
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    bare: bool = False
    negative: str = "-"
    sign_first: bool = True
    plus: bool = False
    magnitudes: tuple[str, ...] = ("",)
    scaled_space: str = ""

    @property
    def reading(self) -> tuple[bool, str, str]:
        """What decides how texts are read: the decimal comma, and the prefix and suffix."""
        return self.comma, self.prefix.strip(), self.suffix.strip()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NumberStyle:
        """Rebuild a style from its fields."""
        return cls(**{**value, "magnitudes": tuple(value["magnitudes"])})


PLAIN_STYLE = NumberStyle()
"""The shortest digits, with a decimal point."""


def guess_style(
    texts: pa.StringArray,
    counts: Counts,
    plain: Callable[[bool], Numbers],
    semicolon: bool = False,
    mostly: float = MOSTLY,
) -> NumberStyle | None:
    """Return the style in which most cells are numbers; None if too few are.

    Parameters
    ----------
    texts : StringArray [k]
        The distinct trimmed texts that are not missing.
    counts : intp [k]
        How many cells have each.
    plain : function
        Returns `to_floats` of the texts, with a decimal comma or without.
    semicolon : bool
        Whether the file separates its columns by semicolons, and so may have decimal commas.
    mostly : float
        The least share of the cells.
    """
    point = plain(False)
    if not np.isnan(point).any() and not pc.any(pc.match_substring(texts, ",")).as_py():
        return described(texts, counts, False)
    comma = plain(True)
    shares = _share(point, counts), _share(comma, counts)
    decimal_comma = semicolon if shares[0] == shares[1] else shares[1] > shares[0]
    unread = np.isnan(comma if decimal_comma else point)
    if unread.any() and looks_styled(texts.filter(pa.array(unread))):
        styled = _styled(texts, counts, semicolon)
        if styled and _share(read_styled(texts, styled), counts) > max(shares):
            return styled if _share(read_styled(texts, styled), counts) >= mostly else None
    if max(shares) < mostly or max(shares) == 0:
        return None
    kept = pa.array(~unread)
    return described(texts.filter(kept), counts[~unread], decimal_comma)


def read_styled(texts: pa.StringArray, style: NumberStyle) -> Numbers:
    """Return texts as numbers [n] with all that `NumberStyle` knows; nan where a text is none, or has another unit."""
    parts = split(texts)
    prefix, suffix = style.prefix.strip(), style.suffix.strip()
    signs = [_sign(head.sign, head.bracket) if head and head.prefix in ("", prefix) else np.nan for head in parts.heads]
    factors = [
        MAGNITUDES[tail.magnitude] * (-1 if tail.minus else 1) if tail and tail.suffix in ("", suffix) else np.nan
        for tail in parts.tails
    ]
    opened = parts.of_head([head is not None and head.bracket for head in parts.heads])
    closed = parts.of_tail([tail is not None and tail.bracket for tail in parts.tails])
    signed = parts.of_head([head is not None and (head.bracket or head.sign != "") for head in parts.heads])
    twice = (signed != 0) & (parts.of_tail([tail is not None and tail.minus != "" for tail in parts.tails]) != 0)
    values = to_floats(parts.bodies, style.comma) * parts.of_tail(factors)
    # A number such as 1.2k is 1200, not the float next to it.
    values = np.where(parts.of_tail(factors) % 1000 == 0, np.round(values, 6), values) * parts.of_head(signs)
    return np.where((opened == closed) & ~twice, values, np.nan)


def bounds(texts: pa.StringArray) -> NDArray[np.bool_]:
    """Return which texts [n] are bounds of a number, such as <0.5."""
    return _where(texts, r"^[<>≤≥]=?\s*\S*\d")


def write(values: Numbers, style: NumberStyle, round: bool = True) -> list[str | None]:
    """Write numbers [n] in a style, None for nan; with all their digits if `round` is false.

    Examples
    --------
    >>> write(np.array([1234.5, -3.0]), NumberStyle(2, 2, thousands=",", prefix="$"))
    ['$1,234.50', '-$3.00']
    >>> write(np.array([12.5, -1200.0]), NumberStyle(1, suffix=" %", comma=True, negative="()"))
    ['12,5 %', '(1200 %)']
    """
    return [None if np.isnan(value) else _text(value, style, round) for value in values.tolist()]


def _text(value: float, style: NumberStyle, round: bool) -> str:
    magnitude = max(
        (word for word in style.magnitudes if MAGNITUDES[word] <= abs(value)),
        key=MAGNITUDES.__getitem__,
        default=min(style.magnitudes, key=MAGNITUDES.__getitem__),
    )
    digits = _digits(abs(value) / MAGNITUDES[magnitude], style, round)
    negative = value < 0 and any(digit in "123456789" for digit in digits)
    prefix, suffix = ("", "") if style.bare else (style.prefix, style.suffix)
    body = digits + (style.scaled_space + magnitude if magnitude else "") + suffix
    if negative and style.negative in ("()", "0-"):
        return f"({prefix}{body})" if style.negative == "()" else f"{prefix}{body}-"
    sign = style.negative if negative else "+" if style.plus and value > 0 else ""
    return sign + prefix + body if style.sign_first else prefix + sign + body


def _digits(value: float, style: NumberStyle, round: bool) -> str:
    if not round:
        text = repr(value)
    elif style.decimals is None:
        text = f"{value:.7g}"
    else:
        text = f"{value:{',' if style.thousands else ''}.{style.decimals}f}"
        if style.decimals > style.least:
            whole, _, fraction = text.partition(".")
            fraction = fraction[: style.least] + fraction[style.least :].rstrip("0")
            text = f"{whole}.{fraction}" if fraction else whole
    whole, point, fraction = text.partition(".")
    return whole.replace(",", style.thousands) + ("," if style.comma and point else point) + fraction


def described(texts: pa.StringArray, counts: Counts, comma: bool) -> NumberStyle:
    """Return the style of texts [k] that are numbers without a prefix or a suffix."""
    decimals, least = _decimals(texts, counts, comma)
    mark = "." if comma else ","
    grouped, large = _where(texts, re.escape(mark)), r"^[+-]?\d{4}"
    thousands = mark if grouped.any() and counts[grouped].sum() > counts[_where(texts, large)].sum() else ""
    plus = _where(texts, r"^\+")
    positive = plus.any() and counts[_where(texts, r"^[^-].*[1-9]|^[1-9]")].sum()
    return NumberStyle(
        decimals, least, comma, thousands, plus=bool(plus.any() and counts[plus].sum() > _PLUS * positive)
    )


def _where(texts: pa.StringArray, pattern: str) -> NDArray[np.bool_]:
    return np.asarray(pc.match_substring_regex(texts, pattern), dtype=np.bool_)


def _decimals(texts: pa.StringArray, counts: Counts, comma: bool) -> tuple[int | None, int]:
    """Return how many decimals texts [k] have by habit, at most and at least; (None, 0) if they have exponents."""
    exponents = _where(texts, r"\d[.,]?[eE][+-]?\d")
    if counts[exponents].sum() > (1 - _HABIT) * counts.sum() or not len(texts):
        return None, 0
    fractions = pc.replace_substring_regex(texts, r"^[^,]*,?" if comma else r"^[^.]*\.?", "")
    lengths = pc.utf8_length(fractions).to_numpy(zero_copy_only=False)
    cells = np.bincount(lengths, weights=np.where(exponents, 0, counts))
    share = np.cumsum(cells) / cells.sum()
    most = int(np.argmax(share >= _HABIT - 1e-9))
    if not pc.any(pc.ends_with(fractions, "0")).as_py():
        return most, 0
    at_least = 1 - share + cells / cells.sum()
    return most, min(most, int(np.flatnonzero(at_least >= _HABIT - 1e-9)[-1]))


def _styled(texts: pa.StringArray, counts: Counts, semicolon: bool) -> NumberStyle | None:
    parts = split(texts)
    pairs = _affixes(parts, counts)
    if not pairs or counts[bounds(texts)].sum() > counts.sum() / 2:
        return None
    total = sum(pairs.values())
    named = [pair for pair, count in pairs.most_common() if pair != ("", "") and count >= _COMMON * total]
    prefix, suffix = named[0] if named else ("", "")
    bare = bool(named) and pairs["", ""] > pairs[prefix, suffix]
    point, comma = (_share(to_floats(parts.bodies, way), counts) for way in (False, True))
    decimal_comma = semicolon if point == comma else comma > point
    values = read_styled(texts, NumberStyle(comma=decimal_comma, prefix=prefix, suffix=suffix))
    mine = ~np.isnan(values)
    bodies = parts.bodies.filter(pa.array(mine))
    plain = described(bodies, counts[mine], decimal_comma)
    heads = _count(parts.heads, parts.head[mine], counts[mine])
    tails = _count(parts.tails, parts.tail[mine], counts[mine])
    grouping = _count(parts.grouping.filter(pa.array(mine)).to_pylist(), np.arange(mine.sum()), counts[mine])
    spaces = Counter[str]()
    magnitudes, between = Counter[str](), Counter[str]()
    negatives = Counter({"-": 0})
    for head, count in heads.items():
        negatives["()" if head.bracket else head.sign] += count if head.bracket or head.sign in _MINUSES else 0
    for tail, count in tails.items():
        lead, _, space = tail.space.rpartition("\0")
        spaces[space] += count if tail.suffix else 0
        between[lead] += count if tail.magnitude else 0
        magnitudes[tail.magnitude] += count
        negatives["0-"] += count if tail.minus else 0
    before = Counter({head.space: 0 for head in heads})
    for head, count in heads.items():
        before[head.space] += count if head.prefix else 0
    after = sum(count for head, count in heads.items() if head.sign and not head.sign_first)
    first = sum(count for head, count in heads.items() if head.sign and head.sign_first)
    del grouping[""]
    return NumberStyle(
        plain.decimals,
        plain.least,
        decimal_comma,
        _top(grouping) or plain.thousands,
        prefix + (_top(before) if prefix else ""),
        (_top(spaces) if suffix else "") + suffix,
        bare,
        _top(negatives) or "-",
        first >= after,
        _plus(_count(parts.heads, parts.head[values > 0], counts[values > 0])),
        tuple(magnitudes),
        _top(between),
    )


def _plus(heads: Counter[Any]) -> bool:
    with_plus = sum(count for head, count in heads.items() if head.sign == "+")
    without = sum(count for head, count in heads.items() if not head.sign and not head.bracket)
    return with_plus > _PLUS * (with_plus + without)


def _affixes(parts: Parts, counts: Counts) -> Counter[tuple[str, str]]:
    """Return how many cells have each prefix and suffix."""
    pairs = Counter[tuple[str, str]]()
    number = np.asarray(parts.bodies.is_valid())
    codes = parts.head[number] * len(parts.tails) + parts.tail[number]
    for code, count in zip(*_sums(codes, counts[number]), strict=True):
        head, tail = parts.heads[code // len(parts.tails)], parts.tails[code % len(parts.tails)]
        if head and tail:
            pairs[head.prefix, tail.suffix] += count
    return pairs


def _count(kinds: list[Any], index: NDArray[np.intp], counts: Counts) -> Counter[Any]:
    found = Counter[Any]()
    for at, count in zip(*_sums(index, counts), strict=True):
        found[kinds[at]] += count
    return found


def _sums(codes: NDArray[np.intp], counts: Counts) -> tuple[list[int], list[int]]:
    different, index = np.unique(codes, return_inverse=True)
    return different.tolist(), np.bincount(index, weights=counts).astype(int).tolist()


def _top(counter: Counter[str]) -> str:
    return counter.most_common(1)[0][0] if counter else ""


def _sign(sign: str, bracket: bool) -> float:
    return -1.0 if bracket or sign in _MINUSES else 1.0


def _share(values: Numbers, counts: Counts) -> float:
    return float(counts[~np.isnan(values)].sum() / max(counts.sum(), 1))


def units(texts: pa.StringArray, counts: Counts) -> dict[tuple[str, str], float]:
    """Return which share of the cells are numbers with each prefix and suffix, most frequent first."""
    if not looks_styled(texts):
        return {}
    return {pair: cells / counts.sum() for pair, cells in _affixes(split(texts), counts).most_common()}
