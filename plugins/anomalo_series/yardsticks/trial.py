"""How well a model fills stretches of windows that it did not learn from."""

from __future__ import annotations

import numpy as np

from anomalo.plugin import CanImpute, Encoded, Mask

HELD_OUT = 0.2
"""The last part of the training windows, which are held out."""
WINDOWS = 200
"""So many of them are looked at, at most."""
STRETCH, CHANNELS = 0.75, 2 / 3
"""The part of a window that is hidden, and of its channels."""
CELLS = 500
"""Cells that are hidden in a window, at most."""


def parted(data: Encoded) -> tuple[Encoded, Encoded] | None:
    """Return the first training windows, and last ones that share no point with them; None if there are too few."""
    width, first = data.layout.shape[0], int((1 - HELD_OUT) * len(data))
    if first < 3 * width or first == len(data):
        return None
    last = data.take(slice(first, None))
    return data.take(slice(0, first - width)), last.take(slice(0, None, -(-len(last) // WINDOWS)))


def error_in_stretches(model: CanImpute, data: Encoded, seed: int) -> float:
    """Return the mean absolute error of numbers in random stretches of windows, in encoded units."""
    hidden = _stretches(data, np.random.default_rng(seed))
    known = hidden & data.observed
    known[:, :, data.layout.categories] = False
    found = model.impute(data.hide(hidden))
    return float(np.abs(found.point - data.values, dtype=np.float64).mean(where=known)) if known.any() else 0.0


def _stretches(data: Encoded, rng: np.random.Generator) -> Mask:
    """Return one stretch of each window in some of its channels, bool [n, T, C]."""
    width, channels = data.layout.shape
    length = max(1, min(int(STRETCH * width), CELLS))
    some = max(1, min(round(CHANNELS * channels), CELLS // length))
    found = np.zeros(data.values.shape, dtype=np.bool_)
    for window in found:
        start = rng.integers(width - length + 1)
        window[start : start + length, rng.permutation(channels)[:some]] = True
    return found
