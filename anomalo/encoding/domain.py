"""The values that a column of numbers may take: whole steps, or few that were observed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalo.tabular.understanding.number_parts import Numbers

DECIMALS = 6
"""Numbers with more decimals than this are taken to be continuous."""
FEW = 12
"""A column with at most this many different numbers has no others."""
NEARLY = 1e-3
"""An end of an interval this near to a whole step, in steps, is there: encoded values have seven digits."""
_OFTEN = 4


def grid(values: Numbers) -> float:
    """Return the largest step that all differences of the values are multiples of; 0 if there is none of `DECIMALS`.

    It is a power of ten, or a whole number.
    """
    for decimals in range(DECIMALS + 1):
        if np.array_equal(np.round(values, decimals), values):
            break
    else:
        return 0.0
    if decimals or not len(values) or np.abs(values).max() >= 2**53:
        return 10.0**-decimals
    whole = values.astype(np.int64)
    return float(max(np.gcd.reduce(whole - whole.min()), 1))


def on_grid(values: Numbers, origin: float, step: float) -> Numbers:
    """Return the nearest numbers that are whole steps from the origin."""
    steps = np.round((values - origin) / step)
    if step >= 1:
        return origin + steps * step
    # As the number would be read from its decimals, to the bit.
    return np.round(origin + steps * step, round(-np.log10(step)))


def outward(low: Numbers, high: Numbers, origin: float, step: float) -> tuple[Numbers, Numbers]:
    """Return the ends of intervals [n] moved outward to whole steps from the origin, unless they are there.

    Examples
    --------
    >>> outward(np.array([1.2]), np.array([3.0]), 0.0, 1.0), outward(np.array([1.2]), np.array([1.21]), 0.0, 0.1)
    ((array([1.]), array([3.])), (array([1.2]), array([1.3])))
    """
    half = (0.5 - NEARLY) * step
    return on_grid(low - half, origin, step), on_grid(high + half, origin, step)


def around(low: Numbers, high: Numbers, observed: Sequence[float]) -> tuple[Numbers, Numbers]:
    """Return the ends of intervals [n] moved outward to the nearest of the observed values, ascending.

    Examples
    --------
    >>> around(np.array([4.5, 1.0]), np.array([5.5, 9.0]), [4.0, 6.0, 8.0])
    (array([4., 4.]), array([6., 8.]))
    """
    known = np.array(observed)
    first = np.searchsorted(known, low, side="right") - 1
    last = np.searchsorted(known, high, side="left")
    return known[first.clip(0)], known[last.clip(max=len(known) - 1)]


def few_values(values: Numbers) -> list[float]:
    """Return the different values [k], ascending, if they are few and each occurs several times on average.

    Examples
    --------
    >>> few_values(np.array([4.0, 6.0, 8.0] * 5)), few_values(np.arange(9.0))
    ([4.0, 6.0, 8.0], [])
    """
    if len(np.unique(values[: FEW * _OFTEN])) > FEW:
        return []
    different = np.unique(values)
    return different.tolist() if len(different) <= min(FEW, len(values) / _OFTEN) else []


def nearest(values: Numbers, observed: Sequence[float]) -> Numbers:
    """Return for each value [n] the nearest of those observed, ascending; nan for nan.

    Examples
    --------
    >>> nearest(np.array([5.2, -1.0, np.nan]), [4.0, 6.0, 8.0])
    array([ 6.,  4., nan])
    """
    known = np.array(observed)
    found = known[np.searchsorted((known[1:] + known[:-1]) / 2, values).clip(0, len(known) - 1)]
    return np.where(np.isnan(values), np.nan, found)
