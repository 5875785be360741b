"""The predictors of one column, and their weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Block, Encoded, Floats, Scores
from anomalo_auto.imputation.boosting import ColumnBoosting
from anomalo_auto.imputation.completed_rows import EntryLayout, mean_of
from anomalo_auto.imputation.forest import ColumnForest
from anomalo_auto.imputation.kernel_ridge import KernelRidge
from anomalo_auto.imputation.mixture_weights import mixture_weights
from anomalo_auto.imputation.target_column import Target

LEARNERS: dict[str, Any] = {"forest": ColumnForest, "kernel": KernelRidge, "boosting": ColumnBoosting}
FEWEST = 20
"""The fewest observed cells on which learners are fitted; with fewer, only weights are."""
INPUTS = 100
"""Entries of completed rows that a column is predicted from, at most: the most correlated ones."""
SMALLEST = 0.02
"""Predictors with a smaller weight are left out, as they would cost time and hardly count."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of the predictors of one column, each float32 [n, …].

    Attributes
    ----------
    this_column : tuple of float32 [n, size]
        The column as each base, or the round before, completes it.
    completed : float32 [n, entries]
        The other columns, completed.
    codes : float32 [n, columns]
        The same, one entry a column.
    with_missing : float32 [n, columns]
        The other columns, NaN where nothing is observed.
    """

    this_column: tuple[Floats, ...]
    completed: Floats
    codes: Floats
    with_missing: Floats

    @classmethod
    def of(
        cls,
        entry_layout: EntryLayout,
        data: Encoded,
        completed: Sequence[Floats],
        position: int,
        entries: NDArray[np.intp],
    ) -> Self:
        """Return the inputs of rows as each base completes them, [n, width] each."""
        here = entry_layout.position == position
        this_column = tuple(rows[:, here] for rows in completed)
        mean = mean_of(completed)
        columns = np.unique(entry_layout.position[entries])
        return cls(
            this_column,
            mean[:, entries],
            entry_layout.codes(data, mean)[:, columns],
            entry_layout.with_missing(data)[:, columns],
        )

    def of_learner(self, name: str) -> Floats:
        """Return the inputs of a learner."""
        return {"forest": self.codes, "kernel": self.completed, "boosting": self.with_missing}[name]


@dataclass(frozen=True)
class ColumnModel:
    """Predicts one column from the others.

    Attributes
    ----------
    block : Block
        The column.
    entries : intp [k]
        The entries of completed rows that are read.
    marginal : float64 [size]
        The prediction without them.
    weights : float64 [1 + bases + learners]
        Of the marginal, the bases (or the round before) and `LEARNERS`.
    learners : dict
        By name; only those with a weight.
    """

    block: Block
    entries: NDArray[np.intp]
    marginal: Scores
    weights: Scores
    learners: dict[str, Any]

    @classmethod
    def fit(
        cls,
        entry_layout: EntryLayout,
        data: Encoded,
        completed: Sequence[Floats],
        block: Block,
        names: Sequence[str],
        rng: np.random.Generator,
        sizes: Mapping[str, Mapping[str, int]],
    ) -> tuple[Self, Target, Floats]:
        """Fit the learners of these names on rows completed with this column hidden, [n, width] each.

        `sizes` are what their `fit` takes besides, by name.

        Returns
        -------
        ColumnModel
        Target
            The truth.
        float32 [m, size]
            Held-out predictions of its cells.
        """
        target = Target.of(data, block)
        rows = [part[target.seen] for part in completed]
        entries = _input_entries(entry_layout, mean_of(rows), target)
        inputs = Inputs.of(entry_layout, data.take(target.seen), rows, block.position, entries)
        marginal = target.marginal()
        predictions: list[Scores | Floats] = [
            np.tile(marginal, (len(target.truth), 1)),
            *(_all_levels(this_column, target) for this_column in inputs.this_column),
        ]
        learners: dict[str, Any] = {}
        if target.varies and len(target.truth) >= FEWEST and len(entries):
            for name in names:
                learners[name], held_out = LEARNERS[name].fit(inputs.of_learner(name), target, rng, **sizes[name])
                predictions.append(held_out)
        weights = _without_small(mixture_weights(np.stack(predictions), target))
        mixed = np.asarray(np.tensordot(weights, np.stack(predictions), axes=1), dtype=np.float32)
        of_bases, of_learners = np.split(weights, [1 + len(completed)])
        kept = {name: weight for name, weight in zip(learners, of_learners, strict=True) if weight}
        every = np.append(of_bases, [kept.get(name, 0.0) for name in LEARNERS])
        return cls(block, entries, marginal, every, {name: learners[name] for name in kept}), target, mixed

    def predict(self, entry_layout: EntryLayout, data: Encoded, completed: Sequence[Floats]) -> Floats:
        """Return predictions for rows [k] as each base completes them: numbers or probabilities, float32 [k, size]."""
        target = Target(self.block, np.zeros(0, bool), np.zeros(0))
        inputs = Inputs.of(entry_layout, data, completed, self.block.position, self.entries)
        total = np.tile(self.weights[0] * self.marginal, (len(data), 1))
        bases, learners = np.split(self.weights[1:], [len(completed)])
        for weight, this_column in zip(bases, inputs.this_column, strict=True):
            total += weight * _all_levels(this_column, target)
        for weight, name in zip(learners, LEARNERS, strict=True):
            if name in self.learners:
                total += weight * self.learners[name].predict(inputs.of_learner(name), target)
        return total.astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that was learned, by name."""
        found = {name: getattr(self, name) for name in ("entries", "marginal", "weights")}
        for learner, fitted in self.learners.items():
            found |= {f"{learner}.{name}": array for name, array in vars(fitted).items()}
        return found

    @classmethod
    def of(cls, block: Block, arrays: dict[str, NDArray[Any]]) -> Self:
        """Restore what `arrays` returned."""
        learners: dict[str, dict[str, NDArray[Any]]] = {}
        for name, array in arrays.items():
            learner, _, part = name.partition(".")
            if part:
                learners.setdefault(learner, {})[part] = array
        fitted = {name: LEARNERS[name](**parts) for name, parts in learners.items()}
        return cls(block, arrays["entries"], arrays["marginal"], arrays["weights"], fitted)


def _without_small(weights: Scores) -> Scores:
    """Return weights that sum to 1, with 0 for those below `SMALLEST`."""
    kept = np.where(weights >= min(SMALLEST, weights.max()), weights, 0.0)
    return np.asarray(kept / kept.sum())


def _all_levels(this_column: Floats, target: Target) -> Floats:
    """Return a base's prediction for all levels, also those that have no entry in completed rows."""
    if target.number:
        return this_column
    missing = max(0, target.block.size - this_column.shape[1])
    return target.as_predictions(np.pad(this_column, ((0, 0), (0, missing))))


def _input_entries(entry_layout: EntryLayout, completed: Floats, target: Target) -> NDArray[np.intp]:
    """Return the input entries: those of the other columns, or the most correlated of them."""
    others = np.flatnonzero(entry_layout.position != target.block.position)
    if len(others) <= INPUTS or not target.varies:
        return others[:INPUTS]
    rows, outputs = completed[:, others].astype(np.float64), target.outputs()
    rows, outputs = rows - rows.mean(axis=0), outputs - outputs.mean(axis=0)
    size = np.sqrt(np.square(rows).sum(axis=0))[:, None] * np.sqrt(np.square(outputs).sum(axis=0))
    correlation = np.abs(np.divide(rows.T @ outputs, size, out=np.zeros_like(size), where=size > 0)).max(axis=1)
    return np.sort(others[np.argsort(-correlation, kind="stable")[:INPUTS]])
