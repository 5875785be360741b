"""Expected values of anomalous rows, given only the cells of the row that are not anomalous themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anomalo.calibration.conformal import Calibration
from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.models.capabilities import CanExplain
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import Cells

ANOMALOUS = 0.05
"""Rows of p-values below this have cells hidden together."""
FIRST = 5
"""So many cells of a row, those of the largest contributions, may be hidden together."""
EXTREME = 2.5
"""Numbers this many robust standard deviations from their column's centre are extreme."""


def expected_together(model: GuardedModel, data: Encoded, cells: Cells, calibration: Calibration) -> Cells:
    """Return the cells with expected values in which anomalous cells do not excuse each other.

    The expected value of a cell is that given the others. Where two columns are near copies of each other and both
    cells are wrong, each of them is as expected from the other. So of an anomalous row the cell of the largest
    contribution, and extreme numbers among the next ones, are hidden from all expected values of the row.

    Parameters
    ----------
    model : GuardedModel
        The fitted model; the expected values of one that does not explain, or is not of tables, stay.
    data : Encoded [n]
        The rows.
    cells : Cells [n]
        Their explanation by the model.
    calibration : Calibration
        What is anomalous; if it is empty, the expected values stay.
    """
    if not model.can(CanExplain) or len(data.layout.shape) > 1 or not len(calibration.reference):
        return cells
    p_values = calibration.p_values(cells.contribution.sum(axis=1), data.hashes())
    rows = np.flatnonzero(p_values < ANOMALOUS)
    if not len(rows):
        return cells
    expected, some = cells.expected.copy(), data.take(rows)
    expected[rows] = model.explain(some.hide(_suspicious(some, cells.contribution[rows]))).expected
    return replace(cells, expected=expected)


def _suspicious(data: Encoded, contribution: Scores) -> Mask:
    """Return the cells [n, columns] to hide: each row's first one, and extreme numbers among the next."""
    rank = np.argsort(np.argsort(-np.where(data.observed, contribution, -np.inf), axis=1, kind="stable"), axis=1)
    number = data.layout.spread([block.kind == "number" for block in data.layout.blocks])
    extreme = number & (np.abs(data.values) > EXTREME) & (rank < FIRST)
    hidden: Mask = data.observed & ((rank == 0) | extreme)
    return hidden
