"""Counts, shares and errors as people read them, in the command line, in reports and in the dashboard."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import timedelta

DAY = 86_400.0
Unit = tuple[str, str]
"""What stands before and after a column's numbers, such as a currency, a percent sign or a unit, with spaces."""
NO_UNIT: Unit = ("", "")


def count(number: int, noun: str) -> str:
    """Write a number with its noun, in the plural unless it is 1.

    Examples
    --------
    >>> count(1, "row"), count(3163, "row")
    ('1 row', '3,163 rows')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def images(number: int, shape: Sequence[int]) -> str:
    """Write how many images of which size and colours there are.

    Parameters
    ----------
    shape : sequence of int
        Channels, height and width of each.

    Examples
    --------
    >>> images(40, (1, 12, 16))
    '40 images of 16 × 12 pixels, grey'
    """
    channels, height, width = shape
    return f"{count(number, 'image')} of {width} × {height} pixels, {'grey' if channels == 1 else 'in colour'}"


def about(number: int) -> str:
    """Write a number that is an estimate, with three digits.

    Examples
    --------
    >>> about(5_213_456), about(87)
    ('about 5,210,000', 'about 87')
    """
    return f"about {_short(number)}"


def percent(share: float) -> str:
    """Write a share as a percentage with one decimal, or with one significant digit where that would show none.

    Examples
    --------
    >>> percent(0.0713), percent(0.5), percent(0.00042), percent(0.0), percent(3e-7)
    ('7.1 %', '50.0 %', '0.04 %', '0.0 %', '0.00003 %')
    """
    first = float(f"{100 * abs(share):.1g}")  # the first significant digit, rounded
    decimals = max(1, -math.floor(math.log10(first))) if first else 1
    return f"{100 * share:.{decimals}f} %"


def unit_of(stored: Sequence[str] | None) -> Unit:
    """Return a column's unit as it is stored: a pair of texts, or nothing."""
    before, after = stored or NO_UNIT
    return before, after


def with_unit(number: str, unit: Unit) -> str:
    """Write a number with its column's unit.

    Examples
    --------
    >>> with_unit("-12", ("$", "")), with_unit("3.5", ("", " kg"))
    ('-$12', '3.5 kg')
    """
    minus = number[: number.startswith("-")]
    return minus + unit[0] + number.removeprefix("-") + unit[1]


def expected_error(value: float, kind: str, unit: Unit = NO_UNIT) -> str:
    """Write the expected error of a column's cells in its own unit.

    Parameters
    ----------
    value : float
        A root mean squared error, of datetimes in seconds; of booleans and categories the share that is wrong.
    kind : str
        The column's kind.
    unit : pair of str
        Its unit.

    Examples
    --------
    >>> expected_error(0.287, "category"), expected_error(18.706, "number"), expected_error(12345.6, "integer")
    ('28.7 % wrong', '18.7', '12,300')
    >>> expected_error(1.5, "datetime"), expected_error(172800.0, "datetime")
    ('1.5 s', '2 days')
    >>> expected_error(2.5, "number", ("", " %"))
    '2.5 %'
    """
    if kind in ("boolean", "category"):
        return f"{percent(value)} wrong"
    if kind == "datetime":
        return f"{_short(value)} s" if value < DAY else f"{_short(value / DAY)} days"
    return with_unit(_short(value), unit)


def duration(seconds: float) -> str:
    """Write an estimated duration, in seconds below two minutes and in minutes above.

    Examples
    --------
    >>> duration(0.2), duration(41.3), duration(400)
    ('1 s', '41 s', '7 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 120 else f"{round(seconds / 60)} min"


def memory(amount: float) -> str:
    """Write an amount of memory given in bytes, in units of a thousand.

    Examples
    --------
    >>> memory(2e9), memory(1_310_000_000), memory(45_000_000)
    ('2 GB', '1.31 GB', '45 MB')
    """
    unit, name = (1e9, "GB") if amount >= 1e9 else (1e6, "MB")
    return f"{_short(amount / unit)} {name}"


def parse_memory(text: str) -> int:
    """Read an amount of memory, in bytes: a number with K, M, G or T, in units of a thousand; with KiB … of 1,024.

    Raises
    ------
    ValueError
        It is none, or not positive.

    Examples
    --------
    >>> parse_memory("2G"), parse_memory("512 MiB"), parse_memory("1.5GB")
    (2000000000, 536870912, 1500000000)
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(iB|B)?\s*", text, re.IGNORECASE)
    if found is None:
        raise ValueError(f"{text!r} is no amount of memory; expected one such as 2G or 512MiB")
    number, power = float(found[1]), " KMGT".index(found[2].upper() or " ")
    amount = int(number * (1024 if (found[3] or "").lower() == "ib" else 1000) ** power)
    if amount <= 0:
        raise ValueError(f"{text!r} is no amount of memory; expected one such as 2G or 512MiB")
    return amount


def parse_age(text: str) -> timedelta:
    """Read an age: a whole number of hours, days or weeks.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> str(parse_age("30d")), str(parse_age("12h")), str(parse_age("2w"))
    ('30 days, 0:00:00', '12:00:00', '14 days, 0:00:00')
    """
    found = re.fullmatch(r"([0-9]{1,5})([hdw])", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no age; expected one such as 12h, 30d or 8w")
    return int(found[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[found[2]]


def _short(value: float) -> str:
    """Write a number with three significant digits, large ones without an exponent."""
    return f"{float(f'{value:.3g}'):,.15g}"
