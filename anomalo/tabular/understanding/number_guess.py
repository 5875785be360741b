"""Which style the numbers of a column are written in, from its texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular.understanding.number_parts import (
    MAGNITUDES,
    Head,
    Numbers,
    Parts,
    Tail,
    coded,
    looks_styled,
    matches,
    split,
    to_floats,
)
from anomalo.tabular.understanding.number_style import NumberStyle, bounds, read_styled

MOSTLY = 0.9
"""If this share of a column's cells are of a kind, it is of that kind, and the others are unreadable."""
_HABIT = 0.95
_COMMON = 0.1
_PLUS = 0.8

Counts = NDArray[np.intp]
T = TypeVar("T")
Weighed = list[tuple[T, int]]
"""Different things, and how many cells have each."""


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


def units(texts: pa.StringArray, counts: Counts) -> dict[tuple[str, str], float]:
    """Return which share of the cells are numbers with each prefix and suffix, most frequent first, then by name."""
    if not looks_styled(texts):
        return {}
    pairs = _affixes(split(texts), counts)
    return {pair: pairs[pair] / counts.sum() for pair in sorted(pairs, key=lambda pair: (-pairs[pair], pair))}


def described(texts: pa.StringArray, counts: Counts, comma: bool) -> NumberStyle:
    """Return the style of texts [k] that are numbers without a prefix or a suffix."""
    decimals, least = _decimals(texts, counts, comma)
    mark = "." if comma else ","
    grouped, large = matches(texts, re.escape(mark)), r"^[+-]?\d{4}"
    thousands = mark if grouped.any() and counts[grouped].sum() > counts[matches(texts, large)].sum() else ""
    plus = matches(texts, r"^\+")
    positive = plus.any() and counts[matches(texts, r"^[^-].*[1-9]|^[1-9]")].sum()
    return NumberStyle(
        decimals, least, comma, thousands, plus=bool(plus.any() and counts[plus].sum() > _PLUS * positive)
    )


def _decimals(texts: pa.StringArray, counts: Counts, comma: bool) -> tuple[int | None, int]:
    """Return how many decimals texts [k] have by habit, at most and at least; (None, 0) if they have exponents."""
    exponents = matches(texts, r"\d[.,]?[eE][+-]?\d")
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
    """Return the style of most texts [k], with what stands before and after the digits; None for no numbers."""
    parts = split(texts)
    pairs = _affixes(parts, counts)
    if not pairs or counts[bounds(texts)].sum() > counts.sum() / 2:
        return None
    least = _COMMON * sum(pairs.values())
    named = {pair: count for pair, count in pairs.items() if pair != ("", "") and count >= least}
    prefix, suffix = max(named, key=lambda pair: (named[pair], pair), default=("", ""))
    point, comma = (_share(to_floats(parts.bodies, way), counts) for way in (False, True))
    decimal_comma = semicolon if point == comma else comma > point
    values = read_styled(texts, NumberStyle(comma=decimal_comma, prefix=prefix, suffix=suffix))
    mine = ~np.isnan(values)
    if not mine.any():
        return None
    heads = _count(parts.heads, parts.head[mine], counts[mine])
    tails = _count(parts.tails, parts.tail[mine], counts[mine])
    grouping = _count(*coded(parts.grouping.filter(pa.array(mine))), counts[mine])
    plain = described(parts.bodies.filter(pa.array(mine)), counts[mine], decimal_comma)
    leads = {tail: tail.space.rpartition("\0") for tail, _ in tails}
    return replace(
        plain,
        thousands=_top((mark, count) for mark, count in grouping if mark) or plain.thousands,
        prefix=prefix + _top((head.space, count) for head, count in heads if head.prefix),
        suffix=_top((leads[tail][2], count) for tail, count in tails if tail.suffix) + suffix,
        bare=bool(named) and pairs["", ""] > pairs[prefix, suffix],
        negative=_negative(heads, tails),
        sign_first=_top((str(head.sign_first), count) for head, count in heads if head.sign) != "False",
        plus=_plus(_count(parts.heads, parts.head[values > 0], counts[values > 0])),
        magnitudes=tuple(sorted({tail.magnitude for tail, _ in tails}, key=lambda word: (MAGNITUDES[word], word))),
        scaled_space=_top((leads[tail][0], count) for tail, count in tails if tail.magnitude),
    )


def _negative(heads: Weighed[Head], tails: Weighed[Tail]) -> str:
    before = [("()" if head.bracket else head.sign, count) for head, count in heads]
    after = [("0-", count) for tail, count in tails if tail.minus]
    return _top((way, count) for way, count in [*before, *after] if way not in ("", "+")) or "-"


def _plus(heads: Weighed[Head]) -> bool:
    with_plus = sum(count for head, count in heads if head.sign == "+")
    return with_plus > _PLUS * sum(count for _, count in heads)


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


def _count(kinds: Sequence[T | None], index: NDArray[np.intp], counts: Counts) -> Weighed[T]:
    """Return the different kinds at the index [k], and how many cells have each."""
    found = zip(*_sums(index, counts), strict=True)
    return [(kind, count) for at, count in found if (kind := kinds[at]) is not None]


def _sums(codes: NDArray[np.intp], counts: Counts) -> tuple[list[int], list[int]]:
    different, index = np.unique(codes, return_inverse=True)
    return different.tolist(), np.bincount(index, weights=counts).astype(int).tolist()


def _top(weighed: Iterable[tuple[str, int]]) -> str:
    """Return the most frequent text; empty for none."""
    found = Counter[str]()
    for text, count in weighed:
        found[text] += count
    return max(found, key=lambda text: (found[text], text), default="")


def _share(values: Numbers, counts: Counts) -> float:
    return float(counts[~np.isnan(values)].sum() / max(counts.sum(), 1))
