"""The values that a column of numbers may take: whole steps, or few that were observed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalo.tabular.understanding.number_parts import Numbers

DECIMALS = 6
"""Numbers with more decimals than this are taken to be continuous."""
FEW = 12
"""A column with at most this many different numbers has no others."""
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
