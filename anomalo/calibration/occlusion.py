"""Each cell's contribution to a score: the model's explanation, or occlusion as the fallback."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.conformal import Calibration
from anomalo.encoding.encoded import FIRST_LEVEL, MISSING, UNSEEN, Encoded, Floats, Scores
from anomalo.encoding.layout import Layout
from anomalo.models.capabilities import CanExplain, CanScore
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import Cells, relative
from anomalo.tabular.column import IMAGE


def beside_model(data: Encoded, training_rows: int, calibration: Calibration) -> NDArray[np.float64]:
    """Return what cells add to the score of a model that does not see it, [n, *shape] in score units.

    That is the surprisal of cells without precedent, or of a rule between columns that the cell breaks, whichever is
    more; see `novelty_surprisal` and `Encoded.evidence`.
    """
    novelty = novelty_surprisal(data, training_rows) * calibration.surprisal_scale
    return novelty if data.evidence is None else np.maximum(novelty, data.evidence.surprisal * calibration.rule_scale)


def beside_texts(data: Encoded, calibration: Calibration) -> NDArray[np.float64]:
    """Return what cells of columns that no model reads add to the scores, [n, columns of text]; see `Encoded.texts`."""
    texts = np.zeros((len(data), 0)) if data.texts is None else data.texts
    return texts.astype(np.float64) * calibration.rule_scale


def novelty_surprisal(data: Encoded, training_rows: int) -> NDArray[np.float64]:
    """Return the surprisal of cells without precedent in training, [n, *shape] in nats; 0 elsewhere.

    Those cells are unseen levels, and missing values in a column that never had one. Their probability is the
    Krichevsky-Trofimov estimate of an event not seen in n rows, 0.5 / (n + 1).
    Numbers that cannot be read have the estimate of what was seen in k of n rows, (k + 0.5) / (n + 1).
    A pixel that a mask hides was hidden by the user, and says nothing.
    """
    layout = data.layout
    if layout.modality == IMAGE:
        return np.zeros(data.values.shape)
    complete = layout.spread([block.missing == 0 and not block.label for block in layout.blocks])  # a label is hidden
    category = layout.spread([block.kind == "category" and not block.label for block in layout.blocks])
    unseen = ~data.observed & category & (data.values == UNSEEN)
    missing = ~data.observed & complete & (data.values == MISSING)
    novel = np.where(unseen | missing, math.log((training_rows + 1) / 0.5), 0.0)
    return novel + unreadable_surprisal(data, training_rows)


def unreadable_surprisal(data: Encoded, training_rows: int) -> NDArray[np.float64]:
    """Return the surprisal of the numbers that cannot be read, [n, *shape] in nats; 0 elsewhere.

    See `novelty_surprisal`.
    """
    rate = np.array([(block.unreadable * training_rows + 0.5) / (training_rows + 1) for block in data.layout.blocks])
    return np.where(data.unreadable(), -np.log(data.layout.spread(rate)), 0.0)


def typical(layout: Layout) -> Floats:
    """Return the centre of each cell's column, [*shape]: 0 for a number, the most frequent level for a category."""
    return layout.spread(np.array([FIRST_LEVEL * (b.kind == "category") for b in layout.blocks], dtype=np.float32))


def cells_of(model: GuardedModel, data: Encoded) -> Cells:
    """Return the contributions of the model's `explain`, or those of `occlusion`."""
    return model.explain(data) if model.can(CanExplain) else occlusion(model, data)


def raised_to(contribution: NDArray[np.float64], reported: Callable[[Scores], Scores]) -> NDArray[np.float64]:
    """Return contributions [n, *shape] that sum to the reported scores; where they do already, they stay as they are.

    The rest is divided in proportion to the positive contributions, or equally where there are none.

    Parameters
    ----------
    reported : callable
        Returns each row's reported score, [n], given the sum of its contributions.
    """
    if not contribution.size:
        return contribution
    flat = contribution.reshape(len(contribution), -1)
    total = flat.sum(axis=1)
    raised: NDArray[np.float64] = flat + relative(flat) * (reported(total) - total)[:, None]
    return raised.reshape(contribution.shape)


def occlusion(model: CanScore, data: Encoded) -> Cells:
    """Explain any scoring model: how much the score falls when a cell is hidden.

    Contributions need not sum to the score; `expected` is the column's centre.

    Reference: Zeiler and Fergus (2014); Covert, Lundberg and Lee (2021), Explaining by removing, JMLR 22.
    """
    score, shape = model.score(data), data.layout.shape
    contribution = np.zeros((len(data), math.prod(shape)))
    for cell in range(contribution.shape[1]):
        hidden = np.arange(contribution.shape[1]).reshape(1, *shape) == cell
        contribution[:, cell] = score - model.score(data.hide(hidden))
    return Cells(contribution.reshape(data.values.shape), np.tile(typical(data.layout), (len(data), *[1] * len(shape))))
