"""What cells without precedent add to a row's score, whatever the model does with cells that it cannot see."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.occlusion import beside_model, beside_texts, novelty_surprisal, typical, unreadable_surprisal
from anomalo.calibration.regimes import ComparableModel
from anomalo.encoding.encoded import Encoded, Floats, Mask, Scores
from anomalo.models.capabilities import CanExplain
from anomalo.models.results import Cells, relative


def score_with_novelty(
    model: ComparableModel, data: Encoded, score: Scores, training_rows: int, calibration: Calibration
) -> Scores:
    """Return scores [n] raised by the surprisal of cells without precedent, which the model does not see.

    A model that sums over observed cells scores a row lower the fewer it sees. So a row with a cell without precedent
    has at least the score that it would have with its column's most frequent level or centre there; and, raised, at
    least that of training rows as rare as the cell.

    Parameters
    ----------
    data : Encoded [n]
        The rows; unseen levels are not observed.
    score : float64 [n]
        The model's scores of them.
    training_rows : int
        See `novelty_surprisal`.
    calibration : Calibration
        Of the model; it may be empty.
    """
    surprisal = novelty_surprisal(data, training_rows)
    new = surprisal - unreadable_surprisal(data, training_rows) > 0
    rows = np.flatnonzero(new.reshape(len(data), -1).any(axis=1)) if len(data) else np.zeros(0, dtype=np.intp)
    if len(rows):
        usual = np.broadcast_to(typical(data.layout), data.values.shape)[rows]
        score = score.copy()
        score[rows] = np.maximum(score[rows], model.score(_filled(data.take(rows), new[rows], usual)))
    added, total = (
        each.reshape(len(data), math.prod(data.layout.shape)).sum(axis=1)
        for each in (beside_model(data, training_rows, calibration), surprisal)
    )
    score = score + added + beside_texts(data, calibration).sum(axis=1)
    score[rows] = np.maximum(score[rows], calibration.tail(total[rows]))
    return score


def contributions_with_novelty(
    model: ComparableModel, data: Encoded, cells: Cells, training_rows: int, calibration: Calibration
) -> NDArray[np.float64]:
    """Return contributions [n, *shape] in which cells without precedent have all that they add to the score.

    The others are those of the row with what is expected in such cells: networks make much of a cell that is hidden
    where none was in training, and would blame the others for it.

    Parameters
    ----------
    data, training_rows, calibration
        As above.
    cells : Cells [n]
        The model's explanation of the rows.
    """
    surprisal = novelty_surprisal(data, training_rows)
    rows = np.flatnonzero(surprisal.reshape(len(data), -1).any(axis=1)) if len(data) else np.zeros(0, dtype=np.intp)
    added = beside_model(data, training_rows, calibration)
    if not len(rows):
        return cells.contribution + added
    some, new, flat = data.take(rows), surprisal[rows] > 0, (len(rows), math.prod(data.layout.shape))
    explained = model.explain(_filled(some, new, cells.expected[rows])).contribution
    others = np.where(new, 0.0, explained).reshape(flat)
    score = model.score(some)
    raised = score_with_novelty(model, some, score, training_rows, calibration)
    rest = raised - (others.sum(axis=1) if model.can(CanExplain) else score)
    contribution = cells.contribution + added
    contribution[rows] = (others + relative(added[rows].reshape(flat)) * rest[:, None]).reshape(some.values.shape)
    return contribution


def _filled(data: Encoded, cells: Mask, values: Floats) -> Encoded:
    """Return rows with values in the cells under the mask."""
    return replace(data, values=np.where(cells, values, data.values), observed=data.observed | cells)
