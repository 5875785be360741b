"""Fills of missing cells from a network's predictions for all cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalo.encoding.encoded import Encoded, Floats
from anomalo.models.results import Filled


def filled(data: Encoded, expected: Floats, quantiles: Floats, proba: Sequence[Floats]) -> Filled:
    """Return the fills of rows [n] from their cells' expectations and quantiles.

    Parameters
    ----------
    expected : float32 [n, columns]
    quantiles : float32 [n, 2 + draws, columns]
        The lower and the upper end of the interval, and draws.
    proba : sequence of float32 [n, size]
        The categories' probabilities.
    """
    layout, seen = data.layout, data.observed
    within = quantiles.transpose(1, 0, 2).copy()
    for at in layout.numbers:
        np.clip(within[:, :, at], layout.blocks[at].low, layout.blocks[at].high, out=within[:, :, at])
    within = np.where(seen, data.values, within)
    low, high, draws = within[0], within[1], within[2:]
    for end in (low, high):
        end[:, layout.categories] = np.nan
    point = np.where(seen, data.values, expected)
    by_position = dict(zip(map(int, layout.categories), proba, strict=True))
    return Filled(point, draws if len(draws) else None, by_position, low, high)
