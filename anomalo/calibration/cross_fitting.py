"""Cross-fitting: every training row is scored, and its hidden cells predicted, by a model not fitted on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Floats, Mask, Scores
from anomalo.encoding.layout import Layout
from anomalo.encoding.scaling import expand
from anomalo.models.capabilities import CanImpute, CanScore
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import HiddenCells
from anomalo.persistence.resume import ResumableState

LEVEL = 0.9
"""Coverage of the intervals for hidden cells."""
HIDDEN_PER_COLUMN = 200
HIDDEN_PER_FOLD = 20_000
HIDDEN_AT_ONCE = 4096
"""Rows that a model predicts in one call."""
ALONE = 100
"""In a row of at least twice so many cells, one of each so many is hidden at a time: the others hardly miss it."""


@dataclass(frozen=True)
class Evidence:
    """The results of cross-fitting: out-of-fold scores [n] if the model scores, hidden cells if it imputes.

    The score of a row in no fold is NaN.
    """

    scores: Scores | None
    hidden: HiddenCells | None


def cross_fit(
    data: Encoded,
    folds: NDArray[np.intp],
    fit: Callable[[NDArray[np.intp], int], GuardedModel],
    keep: ResumableState | None = None,
    hide: bool = True,
) -> Evidence:
    """Fit one model per fold on the other folds' rows, and evaluate it on the fold's rows.

    Parameters
    ----------
    data : Encoded
        The training table.
    folds : int [n]
        See `assign_folds`; -1 for a row that is in no fold.
    fit : callable
        `fit(rows, fold)` returns a model fitted on the rows with these numbers: all but those of the fold.
    keep : ResumableState, optional
        Where the result of each fold is saved, and found again.
    hide : bool
        Whether to hide cells and have them predicted, if the model imputes.
    """
    scores: Scores | None = None
    parts = []
    for fold in range(folds.max() + 1):
        held = np.flatnonzero(folds == fold)
        kept = None if keep is None else keep.load(f"fold-{fold}")
        if kept:
            result = kept[0]
        else:
            rows = data.take(held).without_label()
            result = _evaluate(fit(np.flatnonzero(folds != fold), fold), rows, fold, hide)
        if keep is not None and kept is None:
            keep.save(f"fold-{fold}", result, {})
            keep.remove(f"training-{fold}")
        if "scores" in result:
            scores = np.full(len(data), np.nan) if scores is None else scores
            scores[held] = result["scores"]
        if "truth" in result:
            parts.append(result)
    return Evidence(scores, _summarise(data, parts) if parts else None)


FoldResult = dict[str, NDArray[Any]]
"""A model's results for held-out rows: `scores` [n], if it scores, and if it imputes, `truth` and `guess` [k],
encoded values of hidden cells, and `column` [k], their positions."""


def _evaluate(model: GuardedModel, rows: Encoded, fold: int, hide: bool) -> FoldResult:
    result: FoldResult = {}
    if model.can(CanScore):
        result["scores"] = model.score(rows)
    if hide and model.can(CanImpute):
        pairs = predict_hidden(model, rows, fold)
        result["truth"] = np.concatenate([truth for truth, _ in pairs])
        result["guess"] = np.concatenate([guess for _, guess in pairs])
        result["column"] = np.repeat(np.arange(len(pairs)), [len(truth) for truth, _ in pairs])
    return result


Predicted = list[tuple[Floats, Floats]]
"""For each column (true values, predicted values) of hidden cells."""


def predict_hidden(model: CanImpute, data: Encoded, seed: int) -> Predicted:
    """Hide observed cells, one of a row at a time or in wide rows 1 %, and predict them.

    Returns
    -------
    list of (float32 [k], float32 [k])
        True and predicted encoded values, one pair for each block of the layout.
    """
    rng = np.random.default_rng([seed, 13])
    _, seen = data.flat()
    cells = data.layout.cells_of_block
    share = _hidden_of_column(len(cells))
    picked = [_picked(rng, seen[:, mine], mine, share) for mine in cells]
    truth, guess = _predict(model, data, np.concatenate(picked), _hidden_together(seen.shape[1]), rng)
    ends = np.cumsum([len(hidden) for hidden in picked])[:-1]
    return list(zip(np.split(truth, ends), np.split(guess, ends), strict=True))


def _hidden_of_column(columns: int) -> int:
    return max(20, min(HIDDEN_PER_COLUMN, HIDDEN_PER_FOLD // max(columns, 1)))


def _hidden_together(cells: int) -> int:
    return max(cells // ALONE, 1)


def rows_with_hidden(layout: Layout) -> int:
    """Return how many rows `predict_hidden` has a model predict at most, copies of the same one counted."""
    columns = len(layout.blocks)
    return _hidden_of_column(columns) * columns // _hidden_together(len(layout.block_of_cell))


Hidden = NDArray[np.intp]
"""Cells to hide, [k, 2]: the row and the cell of its flattened values."""


def _picked(rng: np.random.Generator, seen: Mask, cells: NDArray[np.intp], most: int) -> Hidden:
    """Pick at most so many of a block's observed cells, seen [n, cells]."""
    row, at = np.divmod(rng.permutation(np.flatnonzero(seen))[:most], len(cells))
    return np.column_stack([row, cells[at]])


def _predict(
    model: Any, data: Encoded, hidden: Hidden, together: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the true and the predicted values of hidden cells, float32 [k]; at most so many of one row at a time."""
    order, copy = _copies(hidden, together, rng)
    row, cell = hidden[order].T
    truth, guess = np.empty((2, len(row)), dtype=np.float32)
    for start in range(0, int(copy.max(initial=-1)) + 1, HIDDEN_AT_ONCE):
        here = slice(*np.searchsorted(copy, [start, start + HIDDEN_AT_ONCE]))
        at = (copy[here] - start, cell[here])
        rows = data.take(row[here][np.unique(at[0], return_index=True)[1]])
        mask = np.zeros(rows.flat()[0].shape, dtype=bool)
        mask[at] = True
        truth[order[here]] = rows.flat()[0][at]
        filled = model.impute(rows.hide(mask.reshape(rows.values.shape))).point
        guess[order[here]] = filled.reshape(mask.shape)[at]
    return truth, guess


def _copies(hidden: Hidden, together: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return an order of hidden cells, and for each in that order the number of the copy of its row, ascending."""
    if together == 1:
        return np.arange(len(hidden)), np.arange(len(hidden))
    order = np.lexsort((rng.random(len(hidden)), hidden[:, 0]))
    row = hidden[order, 0]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    starts = np.append(True, np.diff(row) > 0) | (rank % together == 0)
    return order, np.cumsum(starts[: len(row)]) - 1


def _summarise(data: Encoded, parts: list[FoldResult]) -> HiddenCells:
    blocks = data.layout.blocks
    width, error, baseline = (np.full(len(blocks), np.nan) for _ in range(3))
    cells_hidden = np.bincount(np.concatenate([part["column"] for part in parts]), minlength=len(blocks))
    encoded, observed = data.flat()
    for at, (block, cells) in enumerate(zip(blocks, data.layout.cells_of_block, strict=True)):
        truth = np.concatenate([part["truth"][part["column"] == at] for part in parts]).astype(np.float64)
        guess = np.concatenate([part["guess"][part["column"] == at] for part in parts]).astype(np.float64)
        seen = encoded[:, cells][observed[:, cells]].astype(np.float64)
        if not len(truth):
            continue
        if block.kind == "number":
            width[at] = conformal_quantile(np.abs(truth - guess), LEVEL)
            truth, guess, seen = (expand(values, block.offset, block.scale) for values in (truth, guess, seen))
            error[at] = np.sqrt(np.mean((truth - guess) ** 2))
            baseline[at] = np.sqrt(np.mean((truth - seen.mean()) ** 2))
        else:
            values, counts = np.unique(seen, return_counts=True)
            error[at] = np.mean(truth != guess)
            baseline[at] = np.mean(truth != values[counts.argmax()])
    return HiddenCells(width, error, baseline).with_enough(cells_hidden)


def conformal_quantile(residuals: Scores, level: float) -> float:
    """Return the split-conformal quantile: the ceil((k + 1) level)-th smallest of k residuals.

    Reference: Lei et al. (2018), Distribution-free predictive inference for regression, JASA 113.
    """
    rank = int(np.ceil((len(residuals) + 1) * level))
    return float(np.sort(residuals)[min(rank, len(residuals)) - 1])
