"""Anomalous rows explained without the cells that are anomalous themselves, which excuse each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.regimes import ComparableModel
from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.models.capabilities import CanExplain
from anomalo.models.results import Cells, relative

ANOMALOUS = 0.05
"""Rows of p-values below this have cells hidden together."""
FIRST = 5
"""So many cells of a row, those of the largest contributions, may be hidden together."""
EXTREME = 2.5
"""Numbers this many robust standard deviations from their column's centre are extreme."""
EXCUSED = 0.2
"""A cell is excused by others if it is nearer than this part of its distance without them to what is expected."""


def explained_together(model: ComparableModel, data: Encoded, cells: Cells, calibration: Calibration) -> Cells:
    """Return the cells of rows whose anomalous cells do not excuse each other.

    The expected value of a cell is that given the others. Where two columns are near copies of each other and both
    cells are wrong, each of them is as expected from the other. So of an anomalous row the cell of the largest
    contribution, and extreme numbers among the next ones, are hidden from all expected values of the row. If one of
    them was excused by the others, their contributions are divided anew, by how far each is from what is expected.

    Parameters
    ----------
    model : GuardedModel
        The fitted model; the cells of one that does not explain, or is not of tables, stay.
    data : Encoded [n]
        The rows.
    cells : Cells [n]
        Their explanation by the model.
    calibration : Calibration
        What is anomalous; if it is empty, the cells stay.
    """
    if not model.can(CanExplain) or len(data.layout.shape) > 1 or not len(calibration.reference):
        return cells
    p_values = calibration.p_values(cells.contribution.sum(axis=1), data.hashes())
    rows = np.flatnonzero(p_values < ANOMALOUS)
    if not len(rows):
        return cells
    contribution, expected, some = cells.contribution.copy(), cells.expected.copy(), data.take(rows)
    hidden = _suspicious(some, contribution[rows])
    expected[rows] = model.explain(some.hide(hidden)).expected
    numbers = hidden & _numbers(data)
    before, after = (np.abs(some.values - values) * numbers for values in (cells.expected[rows], expected[rows]))
    contribution[rows] = _divided_anew(contribution[rows], numbers, before, after)
    return replace(cells, contribution=contribution, expected=expected)


def _suspicious(data: Encoded, contribution: Scores) -> Mask:
    """Return the cells [n, columns] to hide: each row's first one, and extreme numbers among the next."""
    rank = np.argsort(np.argsort(-np.where(data.observed, contribution, -np.inf), axis=1, kind="stable"), axis=1)
    extreme = (np.abs(data.values) > EXTREME) & (rank < FIRST)
    hidden: Mask = data.observed & ((rank == 0) | (_numbers(data) & extreme))
    return hidden


def _numbers(data: Encoded) -> Mask:
    """Return which columns are numbers, bool [columns]; of a point in time no number is expected."""
    return data.layout.spread([block.kind == "number" and not block.moment for block in data.layout.blocks])


def _divided_anew(contribution: Scores, cells: Mask, before: Scores, after: Scores) -> Scores:
    """Return contributions [n, columns] divided anew among the cells under the mask, where one of them was excused.

    Parameters
    ----------
    before, after : float64 [n, columns]
        The distance of these cells from what is expected given all others, and given those that are not hidden.
    """
    excused = (cells & (before < EXCUSED * after)).any(axis=1, keepdims=True)
    together = np.where(cells, contribution, 0.0)
    anew = relative(after) * together.sum(axis=1, keepdims=True)
    found: Scores = np.where(excused & cells, anew, contribution)
    return found
