"""Fills of windows, their intervals and draws, from the distribution of hidden cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Filled, Floats, Scores
from anomalo_series.channels import Channels
from anomalo_series.window_model import BLOCK

INTERVAL = 1.6448536
"""Deviations from the mean to the ends of a 90 % interval."""
SMALLEST_SHARE = 1e-12
"""Normal numbers are of shares between this and one less it."""
Numbers = NDArray[np.floating]


class Distribution(NamedTuple):
    """Mean and deviation of the cells of windows, [n, T, columns], and draws, [K, n, T, columns]."""

    mean: Numbers
    spread: Numbers
    drawn: Numbers


def normal(uniform: Scores) -> Scores:
    """Return standard normal numbers for uniform ones, of the same shape."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(uniform, SMALLEST_SHARE, 1 - SMALLEST_SHARE)), dtype=np.float64)


def filled_in_blocks(data: Encoded, distribution: Callable[[Encoded], Distribution]) -> Filled:
    """Return the fills of windows, by the distributions of blocks of them given what is observed.

    Ends of intervals are that of a normal with this mean and deviation; a category has none.
    """
    parts = [data.take(slice(start, start + BLOCK)) for start in range(0, max(len(data), 1), BLOCK)]
    filled = [_filled(part, distribution(part)) for part in parts]
    point, low, high = (np.concatenate([getattr(one, name) for one in filled]) for name in ("point", "low", "high"))
    draws = [one.draws for one in filled if one.draws is not None]
    return Filled(point, np.concatenate(draws, axis=1) if draws else None, low=low, high=high)


def _filled(part: Encoded, found: Distribution) -> Filled:
    channels = Channels(part.layout)
    known = np.array([block.kind == "number" for block in part.layout.blocks])

    def closed(cells: Numbers) -> Floats:
        return np.where(part.observed, part.values, channels.levels(cells.astype(np.float32)))

    point = closed(found.mean)
    width = np.where(part.observed, 0, INTERVAL * channels.close(found.spread.astype(np.float64)))
    low, high = (np.where(known, point + sign * width, np.nan).astype(np.float32) for sign in (-1, 1))
    draws = np.stack([closed(one) for one in found.drawn]) if len(found.drawn) else None
    return Filled(point, draws, low=low, high=high)
