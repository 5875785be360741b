"""Numbers within texts, with or without a unit, and how extreme each is in its column."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NUMBER = re.compile(
    r"(?P<before>[^\d.+\-]{0,4}?)\s?"
    r"(?P<number>[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d+)?)\s?(?P<after>[^\d]{0,12})"
)
_SCALE = 1.349
"""The distance between the quartiles of a normal distribution, in standard deviations."""
MOST = 50.0


def numbers_of(values: Sequence[str]) -> Floats:
    """Return texts as numbers [k], nan where one holds none; what stands before and after a number is left out.

    Examples
    --------
    >>> numbers_of(["12", "12.0 oz", "$1,200.50", "5%", "2nd of May", "", "7-8"])
    array([  12. ,   12. , 1200.5,    5. ,    nan,    nan,    nan])
    """
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: str) -> float:
    if len(value) > 40:
        return np.nan
    match = _NUMBER.fullmatch(value)
    if match is None or len(match["after"].split()) > 1:
        return np.nan
    try:
        found = float(match["number"].replace(",", ""))
    except ValueError:
        return np.nan
    return found if np.isfinite(found) else np.nan


def extremes(numbers: Floats, counts: NDArray[np.int64]) -> Floats:
    """Return how far each number lies outside its column, in robust standard deviations beyond the quartiles.

    Parameters
    ----------
    numbers : float array [k]
        Distinct numbers; nan for none.
    counts : int array [k]
        How many rows of the reference have each.

    Returns
    -------
    float array [k]
        The smaller of the distances on the linear and on the signed logarithmic scale, so that skewed columns have few
        extremes; 0 where there is no number.
    """
    there = ~np.isnan(numbers)
    if (counts * there).sum() < 8:
        return np.zeros(len(numbers))
    scales = [np.where(there, numbers, 0.0), np.sign(numbers) * np.log1p(np.abs(np.where(there, numbers, 0.0)))]
    distances = [_beyond(np.where(there, values, 0.0), counts * there) for values in scales]
    return np.where(there, np.minimum(np.min(distances, axis=0), MOST), 0.0)


def _beyond(values: Floats, weights: NDArray[np.int64]) -> Floats:
    low, high = _quantiles(values, weights, (0.25, 0.75))
    lower, upper = _quantiles(values, weights, (0.05, 0.95))
    scale = max((high - low) / _SCALE, (upper - lower) / 3.29, 1e-12 * max(abs(high), abs(low), 1e-300))
    if upper == lower:
        return np.where(values == lower, 0.0, MOST)
    return np.maximum(np.maximum(low - values, values - high), 0.0) / scale


def _quantiles(values: Floats, weights: NDArray[np.int64], shares: tuple[float, float]) -> tuple[float, float]:
    order = np.argsort(values, kind="stable")
    order = order[weights[order] > 0]
    reached = np.cumsum(weights[order]) / weights.sum()
    first, second = (float(values[order[np.searchsorted(reached, share)]]) for share in shares)
    return first, second


def standardised(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """Return values of distinct texts [k] in robust standard deviations of the rows from their median, at most `MOST`.

    Examples
    --------
    >>> standardised(np.array([1.0, 2.0, 3.0, 9.0]), np.array([5, 5, 5, 1])).round(2)
    array([-0.67,  0.  ,  0.67,  4.72])
    """
    low, middle = _quantiles(values, counts, (0.25, 0.5))
    high, _ = _quantiles(values, counts, (0.75, 0.75))
    scale = max((high - low) / _SCALE, 0.1 * abs(middle), 1e-9)
    return np.clip((values - middle) / scale, -MOST, MOST)


def gaps(numbers: Floats, counts: NDArray[np.int64]) -> Floats:
    """Return each number's distance to the nearest other one, as the logarithm of its ratio to the median distance.

    Others are those of the reference; a number that only new rows have (its count is 0) is compared with all of them.
    """
    result = np.zeros(len(numbers))
    there = np.flatnonzero(~np.isnan(numbers) & (counts > 0))
    if len(there) < 5:
        return result
    order = there[np.argsort(numbers[there], kind="stable")]
    steps = np.diff(numbers[order])
    nearest = np.minimum(np.append(steps, np.inf), np.append(np.inf, steps))
    nearest[counts[order] > 1] = 0.0
    usual = np.median(steps[steps > 0]) if (steps > 0).any() else 1.0
    result[order] = np.log1p(nearest / usual)
    new = np.flatnonzero(~np.isnan(numbers) & (counts == 0))
    result[new] = np.log1p(_distances(numbers[new], numbers[order]) / usual)
    return result


def _distances(numbers: Floats, known: Floats) -> Floats:
    """Return how far numbers [m] are from the nearest of sorted ones."""
    above = np.searchsorted(known, numbers)
    below = np.maximum(above - 1, 0)
    above = np.minimum(above, len(known) - 1)
    return np.minimum(np.abs(numbers - known[below]), np.abs(known[above] - numbers))
