"""Counts and shares as people read them, in the command line, in reports and in the dashboard."""

from __future__ import annotations

import math


def count(number: int, noun: str) -> str:
    """Write a number with its noun, in the plural unless it is 1.

    Examples
    --------
    >>> count(1, "row"), count(3163, "row")
    ('1 row', '3,163 rows')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


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
