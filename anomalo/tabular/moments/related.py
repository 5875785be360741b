"""Which points in time belong together, so that the time between them means something."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from anomalo.tabular.understanding.number_parts import Numbers

CLOSER = 0.5
"""Two columns are related if their differences have at most this part of the columns' interquartile ranges."""
FEWEST = 20
"""Rows that have both."""


def related(pairs: Mapping[tuple[str, str], tuple[Numbers, Numbers]]) -> list[tuple[str, str]]:
    """Return the pairs of related columns, the later one first: for each column the closest one before it.

    Parameters
    ----------
    pairs : mapping of (str, str) to (float64 [n], float64 [n])
        Seconds since 1970, nan where missing.
    """
    closest: dict[str, tuple[float, tuple[str, str]]] = {}
    for (first, second), (one, other) in pairs.items():
        both = ~np.isnan(one) & ~np.isnan(other)
        if both.sum() < FEWEST:
            continue
        difference = other[both] - one[both]
        width = _width(difference)
        if width > CLOSER * min(_width(one[both]), _width(other[both])):
            continue
        pair = (second, first) if np.median(difference) >= 0 else (first, second)
        if second not in closest or width < closest[second][0]:
            closest[second] = width, pair
    return [pair for _, pair in closest.values()]


def _width(seconds: Numbers) -> float:
    low, high = np.quantile(seconds, [0.25, 0.75])
    return float(high - low)
