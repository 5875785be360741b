"""How a column writes numbers: guessed from its texts, read, and written back the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.tabular.understanding.number_parts import MAGNITUDES, Numbers, matches, split, to_floats

_MINUSES = ("-", "\u2212", "\u2013")


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
    return matches(texts, r"^[<>≤≥]=?\s*\S*\d")


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


def _sign(sign: str, bracket: bool) -> float:
    return -1.0 if bracket or sign in _MINUSES else 1.0
