"""Explained rows: contributions of all evidence, which sum to the reported scores, and what is expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.occlusion import beside_texts, raised_to
from anomalo.calibration.regimes import ComparableModel
from anomalo.calibration.results import Explained
from anomalo.encoding.encoded import Encoded, Floats, Mask
from anomalo.encoding.scaling import expand
from anomalo.models.capabilities import CanExplain
from anomalo.pipeline.explaining.blame import blamed_contributions
from anomalo.pipeline.explaining.expected_moments import as_usual, expected_moments
from anomalo.pipeline.explaining.hiding_together import explained_together

NEAR = 0.1
"""A number is next to the expected one within this part of the width of its interval, or of its column's scale."""

Ends = NDArray[np.float64]
Interval = Callable[[Floats, int], tuple[Ends, Ends]]


def explanation(
    model: ComparableModel, data: Encoded, rows: int | None, calibration: Calibration, interval: Interval
) -> Explained:
    """Explain encoded rows cell by cell.

    Parameters
    ----------
    data : Encoded [n]
    rows : int or None
        In the training table; None if nothing is added to the model's scores.
    interval : callable
        From the expected values of a block, and its position, to the ends of their intervals.
    """
    cells = explained_together(model, data, model.explain(data), calibration)
    contribution, blamed = cells.contribution, np.zeros(data.values.shape, dtype=np.bool_)
    if rows is not None:
        contribution, blamed = blamed_contributions(model, replace(data, texts=None), cells, rows, calibration)
    texts = np.zeros((len(data), 0)) if rows is None else beside_texts(data, calibration)
    if model.can(CanExplain):
        every = np.concatenate([contribution.reshape(len(data), -1), texts], axis=1)
        every = raised_to(every, lambda total: calibration.out_of_fold(total, data.hashes()))
        contribution, texts = (
            every[:, : -texts.shape[1] or None].reshape(contribution.shape),
            every[:, every.shape[1] - texts.shape[1] :],
        )
    low, high = np.empty((2, len(data), len(data.layout.block_of_cell)))
    for at, mine in enumerate(data.layout.cells_of_block):
        low[:, mine], high[:, mine] = interval(cells.expected.reshape(low.shape)[:, mine], at)
    shape = data.values.shape
    low, high, moments = low.reshape(shape), high.reshape(shape), expected_moments(data, cells)
    near = _near(data, cells.expected, high - low)
    if moments.shape[1]:
        near[:, [block.moment for block in data.layout.blocks]] = as_usual(data, moments)
    return Explained(contribution, cells.expected, low, high, moments, near & ~blamed, blamed, texts)


def _near(data: Encoded, expected: Floats, width: Ends) -> Mask:
    """Return which numbers [n, *shape] are next to the expected ones, within `NEAR` of the width of their intervals."""
    near = np.zeros((len(data), len(data.layout.block_of_cell)), dtype=np.bool_)
    flat = [array.reshape(near.shape) for array in (data.values, expected, width)]
    for block, mine in zip(data.layout.blocks, data.layout.cells_of_block, strict=True):
        if block.kind == "number" and not block.moment:
            observed, guess, wide = (array[:, mine] for array in flat)
            inside = np.clip(guess, block.low, block.high)
            distance = np.abs(np.subtract(*(expand(each, block.offset, block.scale) for each in (observed, inside))))
            near[:, mine] = distance <= NEAR * np.where(np.isnan(wide), block.scale, wide)
    return near.reshape(data.observed.shape) & data.observed
