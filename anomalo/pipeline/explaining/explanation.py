"""Explained rows: contributions of all evidence, which sum to the reported scores, and what is expected."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.novelty import contributions_with_novelty
from anomalo.calibration.occlusion import raised_to, rules_first
from anomalo.calibration.regimes import ComparableModel
from anomalo.calibration.results import Explained
from anomalo.encoding.encoded import Encoded, Floats
from anomalo.models.capabilities import CanExplain
from anomalo.pipeline.explaining.expected_moments import expected_moments
from anomalo.pipeline.explaining.hiding_together import explained_together

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
    contribution = cells.contribution
    if rows is not None:
        contribution = rules_first(contributions_with_novelty(model, data, cells, rows, calibration), data)
    if model.can(CanExplain):
        contribution = raised_to(contribution, lambda total: calibration.out_of_fold(total, data.hashes()))
    low, high = np.empty((2, len(data), len(data.layout.block_of_cell)))
    for at, mine in enumerate(data.layout.cells_of_block):
        low[:, mine], high[:, mine] = interval(cells.expected.reshape(low.shape)[:, mine], at)
    shape = data.values.shape
    moments = expected_moments(data, cells)
    return Explained(contribution, cells.expected, low.reshape(shape), high.reshape(shape), moments)
