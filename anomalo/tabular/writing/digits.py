"""The digits that distinguish an observed from an expected value, for people; files keep all digits."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

DIGITS = 3
"""Significant digits of a number beside another one."""
ALONE = 6
"""Significant digits of a number alone."""
MANY_DECIMALS = 4
"""Numbers with fewer decimals stay as they are."""
MOST_DECIMALS = 17
TINY = 1e-4
"""Intervals of smaller numbers are written with exponents."""
CLOSE = 0.1
"""The difference of two numbers is right to this part of it."""

_GROUP = r"[ ',.\u00a0\u202f\u2009\u2019]"
_NUMBER = re.compile(rf"([^\d.,]*)(\d{{1,3}}(?:{_GROUP}\d{{3}})+|\d*)([.,])(\d+)(\D*)", re.DOTALL)
_EXPONENT = re.compile(r"([^\d.,]*)(\d+(?:\.\d+)?[eE][+-]?\d+)(\D*)", re.DOTALL)
_WHOLE = re.compile(r"(\D*)(\d+)(\D*)", re.DOTALL)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d)(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
LONG = rf"\d[eE][+-]?\d|[.,]\d{{{MANY_DECIMALS}}}|\d\d:\d\d"
"""What a text has that `apart` may shorten."""

Texts = tuple[str | None, str | None]


def apart(observed: str | None, expected: str | None) -> Texts:
    """Return the texts of two cells with the digits that distinguish them; other texts stay as they are.

    Examples
    --------
    >>> apart("9.379786122719162", "7.7902640176351454215")
    ('9.38', '7.79')
    >>> apart("9.379786122719162 kg", "9.3791 kg"), apart("145", "1.2345678"), apart("14.30", "14.3 (fare + tip)")
    (('9.3798 kg', '9.3791 kg'), ('145', '1.23'), ('14.30', '14.3 (fare + tip)'))
    >>> apart("2019-03-04 17:12:51", "2011-08-09T12:51:02"), apart("2019-03-04 17:12:51", "2019-03-04 15:02:02")
    (('2019-03-04', '2011-08-09'), ('2019-03-04 17:12', '2019-03-04 15:02'))
    >>> apart("2019-03-04 00:00:00", "about 10 March"), apart("2019-03-04 17:12:51", None)
    (('2019-03-04', 'about 10 March'), ('2019-03-04 17:12:51', None))
    >>> apart(None, "0.123456789"), apart("two 0.123456789", None)
    ((None, '0.123457'), ('two 0.123457', None))
    """
    if not any(re.search(LONG, text) for text in (observed, expected) if text is not None):
        return observed, expected
    moments = [None if text is None else _MOMENT.fullmatch(text) for text in (observed, expected)]
    if all(moments) and observed is not None and expected is not None:
        return _moments(observed, expected)
    if any(moments):
        first, second = (None if text is None else _without_midnight(text) for text in (observed, expected))
        return first, second
    pair = [None if text is None else _parts(text) for text in (observed, expected)]
    values = [part[0] for part in pair if part is not None]
    decimals = _decimals(values)
    first, second = (
        text if part is None else part[1](max(decimals, _least(part[0])))
        for text, part in zip((observed, expected), pair, strict=True)
    )
    return first, second


def _parts(text: str) -> tuple[float, Callable[[int], str]] | None:
    """Return the one number in a text, and a function that writes the text with so many decimals; None if it has none.

    A number with few decimals, or whose decimals are no more than that, stays as it is written.
    """
    if match := _NUMBER.fullmatch(text):
        before, whole, mark, fraction, after = match.groups()
        separator = next((letter for letter in whole if not letter.isdigit()), "")
        exact = Decimal(f"{re.sub(_GROUP, '', whole) or '0'}.{fraction}")

        def shortened(decimals: int) -> str:
            if len(fraction) < MANY_DECIMALS or decimals >= len(fraction):
                return text
            left, _, right = f"{exact:{',' * bool(separator)}.{decimals}f}".partition(".")
            return before + left.replace(",", separator) + mark * bool(right) + right + after

        return float(exact) * _sign(before), shortened
    if (match := _EXPONENT.fullmatch(text)) and math.isfinite(float(match[2])):
        before, number, after = match.groups()
        power = Decimal(number).adjusted()
        return (
            float(number) * _sign(before),
            lambda decimals: (
                before + min(f"{float(number):.{max(decimals + power, DIGITS - 1)}e}", number, key=len) + after
            ),
        )
    match = _WHOLE.fullmatch(text)
    return None if match is None else (float(match[2]) * _sign(match[1]), lambda _: text)


def _sign(before: str) -> int:
    """Return the sign of a number by what stands before its digits."""
    return -1 if any(mark in before for mark in "-\u2212(") else 1


def _decimals(values: list[float]) -> int:
    """Return how many decimals distinguish values, or show one of them."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    places = math.floor(math.log10(largest)) if largest else 0
    if len(values) < 2:
        return max(ALONE - 1 - places, 0)
    first, second = values
    for decimals in range(max(DIGITS - 1 - places, 0), MOST_DECIMALS):
        if abs(round(first, decimals) - round(second, decimals) - (first - second)) <= CLOSE * abs(first - second):
            return decimals
    return MOST_DECIMALS


def _least(value: float) -> int:
    """Return the decimals of a number's first digits."""
    return max(DIGITS - 1 - math.floor(math.log10(abs(value))), 0) if value and math.isfinite(value) else 0


def _moments(observed: str, expected: str) -> Texts:
    """Return two moments to the day, the minute, or the second, whichever distinguishes them."""
    difference = abs(_moment(observed) - _moment(expected))
    if difference >= timedelta(days=2):
        return observed[:10], expected[:10]
    if difference >= timedelta(minutes=2):
        return observed[:16], expected[:16]
    if difference >= timedelta(seconds=2):
        return re.sub(r"\.\d+", "", observed), re.sub(r"\.\d+", "", expected)
    return observed, expected


def _without_midnight(text: str) -> str:
    """Return a moment of a typed column that holds days as the day; other texts as they are."""
    return text.removesuffix(" 00:00:00") if _MOMENT.fullmatch(text) else text


def _moment(text: str) -> datetime:
    """Return an ISO moment without its offset."""
    try:
        return datetime.fromisoformat(text[:19])
    except ValueError:
        return datetime.max


def interval_digits(low: float, high: float, most: int | None = None) -> tuple[str, str]:
    """Write the ends of an interval with three digits of its width, rounded outward.

    Parameters
    ----------
    most : int, optional
        The most decimals: so many as a rounded number beside has, so that the interval contains this number, too.

    Examples
    --------
    >>> interval_digits(0.8, 31.25), interval_digits(3.0, 5000000.0), interval_digits(0.00012, 0.000345)
    (('0.8', '31.3'), ('3', '5000000'), ('0.00012', '0.000345'))
    >>> interval_digits(6.661e-10, 1.2528e-09), interval_digits(2.9, 2.998), interval_digits(2.9, 2.998, most=2)
    (('6.66e-10', '1.253e-9'), ('2.9', '2.998'), ('2.9', '3'))
    """
    width = high - low if high > low else abs(high) or 1.0
    decimals = DIGITS - 1 - math.floor(math.log10(width)) if math.isfinite(width) and width > 0 else 0
    unit = Decimal(1).scaleb(-max(decimals if most is None else min(decimals, most), 0))
    ends = ((low, ROUND_FLOOR), (high, ROUND_CEILING))
    with localcontext(prec=400):
        first, last = (Decimal(repr(float(end))).quantize(unit, rounding) for end, rounding in ends)
    tiny = max(abs(low), abs(high)) < TINY
    return _without_zeros(first, tiny), _without_zeros(last, tiny)


def _without_zeros(number: Decimal, tiny: bool) -> str:
    if tiny and number:
        return f"{number.normalize():e}"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
