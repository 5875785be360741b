"""Windows of the points of a series, and how long a window is.

All functions take one stretch: points in the order of time, without a break. A window trails: it ends at its point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Floats, Mask, Scores
from anomalo.errors import UsageError

FALLBACK = 100
"""Points of a window where no period is found."""
LAGS = 400
"""A period is looked for up to this lag."""
POINTS = 20_000
"""Autocorrelations are of the first so many points."""
RELIABLE, SHORTEST = 0.3, 32
"""A period is believed from this autocorrelation, and from so many points on."""
SKIPPED = 3
"""Lags below this one are no period: neighbours always look alike."""


def trailing_windows(values: Floats, observed: Mask, width: int) -> tuple[Floats, Mask]:
    """Return the windows that end at each point, as views into one padded copy of the points.

    Parameters
    ----------
    values : float32 [points, channels]
    observed : bool [points, channels]
    width : int
        Points of a window, at least 1.

    Returns
    -------
    values : float32 [points, width, channels]
        0 before the first point.
    observed : bool [points, width, channels]
        False before the first point.

    Raises
    ------
    UsageError
        The width is below 1.

    Examples
    --------
    >>> points = np.array([[1.0], [2.0], [3.0]], dtype=np.float32)
    >>> windows, seen = trailing_windows(points, np.ones((3, 1), dtype=bool), 2)
    >>> windows[:, :, 0].tolist(), seen[0, :, 0].tolist()
    ([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]], [False, True])
    """
    _check_width(width)
    return _views(values, width), _views(observed, width)


def _views(points: NDArray[Any], width: int) -> NDArray[Any]:
    padded = np.concatenate([np.zeros((width - 1, *points.shape[1:]), points.dtype), points])
    return np.lib.stride_tricks.sliding_window_view(padded, width, axis=0).transpose(0, 2, 1)


def autocorrelation(values: Floats, observed: Mask, lags: int = LAGS) -> Scores:
    """Return the autocorrelation at each lag from 0, the mean over channels that vary, float64 [lags + 1].

    Missing points are left out: at each lag the products of points that are both observed are summed, and their sum is
    divided by that at lag 0 in proportion to the number of points, so that a series without missing points has the
    usual estimate.

    Parameters
    ----------
    values : float32 [points, channels]
    observed : bool [points, channels]
    lags : int
        The last lag; at most the number of points less 1.

    Examples
    --------
    >>> wave = np.sin(np.arange(200) * 2 * np.pi / 20).astype(np.float32)[:, None]
    >>> found = autocorrelation(wave, np.ones_like(wave, dtype=bool), 25)
    >>> int(found[10:].argmax()) + 10
    20
    """
    values, observed = values[:POINTS], observed[:POINTS]
    lags = max(0, min(lags, len(values) - 1))
    count = np.maximum(observed.sum(axis=0), 1)
    mean = np.where(observed, values, 0.0).sum(axis=0, dtype=np.float64) / count
    deviation = np.where(observed, values - mean, 0.0)
    products, pairs = _products(deviation, lags), _products(observed.astype(np.float64), lags)
    possible = np.arange(len(values), len(values) - lags - 1, -1.0)[:, None]
    usual = products / np.maximum(np.round(pairs), 1) * possible / len(values)
    vary = usual[0] > 0
    if not vary.any():
        return np.zeros(lags + 1)
    return np.asarray((usual[:, vary] / usual[0, vary]).mean(axis=1), dtype=np.float64)


def _products(series: Scores, lags: int) -> Scores:
    """Return the sums of products of points so many lags apart, [lags + 1, channels]."""
    size = 1 << (2 * len(series)).bit_length()
    spectrum = np.fft.rfft(series, size, axis=0)
    return np.asarray(np.fft.irfft(np.square(np.abs(spectrum)), size, axis=0)[: lags + 1])


def period(values: Floats, observed: Mask) -> int | None:
    """Return the period of a stretch: the lag of the highest peak of the autocorrelation, or None if it has none.

    The height of a peak is counted from the lowest autocorrelation before it, as a smooth series has small peaks of
    noise on the way down. One that is below `RELIABLE`, or at a lag below `SHORTEST`, is not believed. Arrays are those
    of `autocorrelation`.

    Examples
    --------
    >>> wave = np.sin(np.arange(400) * 2 * np.pi / 40).astype(np.float32)[:, None]
    >>> period(wave, np.ones_like(wave, dtype=bool))
    40
    """
    found = autocorrelation(values, observed)
    inner = found[SKIPPED + 1 : -1]
    peaks = np.flatnonzero((inner > found[SKIPPED:-2]) & (inner > found[SKIPPED + 2 :])) + SKIPPED + 1
    if not len(peaks):
        return None
    height = found - np.minimum.accumulate(found)
    best = int(peaks[height[peaks].argmax()])
    return best if found[best] >= RELIABLE and best >= SHORTEST else None


def window_length(values: Floats, observed: Mask) -> int:
    """Return how long a window is: a period, or `FALLBACK` points, but no more than a tenth of the points; at least 1.

    Arrays are those of `autocorrelation`.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(300, 1)).astype(np.float32)
    >>> window_length(noise, np.ones_like(noise, dtype=bool))
    30
    """
    return max(1, min(period(values, observed) or FALLBACK, len(values) // 10))


def _check_width(width: int) -> None:
    if width < 1:
        raise UsageError(f"a window has {width} points: expected 1 or more; set another length")
