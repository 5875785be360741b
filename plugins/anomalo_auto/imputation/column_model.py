"""One column's predictors, and how much each of them counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Block, Encoded, Floats, Scores
from anomalo_auto.imputation.boosting import Boosting
from anomalo_auto.imputation.completed_rows import View
from anomalo_auto.imputation.forest import Forest
from anomalo_auto.imputation.kernel_ridge import Kernel
from anomalo_auto.imputation.mixture_weights import weights
from anomalo_auto.imputation.target_column import Target

LEARNERS: dict[str, Any] = {"forest": Forest, "kernel": Kernel, "boosting": Boosting}
FEWEST = 20
"""Observed cells that it takes to learn more than weights."""
INPUTS = 100
"""Entries of completed rows that a column is predicted from, at most: those that correlate with it most."""
SMALLEST = 0.02
"""A predictor with a smaller weight is not worth its time, and left out."""


@dataclass(frozen=True)
class Inputs:
    """What the predictors of one column read, each float32 [n, …].

    Attributes
    ----------
    own : tuple of float32 [n, size]
        What each base, or the round before, says of the column.
    completed : float32 [n, entries]
        The other columns, completed.
    codes : float32 [n, columns]
        The same, one entry a column.
    plain : float32 [n, columns]
        The other columns, NaN where nothing is observed.
    """

    own: tuple[Floats, ...]
    completed: Floats
    codes: Floats
    plain: Floats

    @classmethod
    def of(
        cls, view: View, data: Encoded, completed: Sequence[Floats], position: int, entries: NDArray[np.intp]
    ) -> Self:
        """Return the inputs of rows as each base completes them, [n, width] each."""
        mine = view.owner == position
        own = tuple(rows[:, mine] for rows in completed)
        mean = np.mean(completed, axis=0, dtype=np.float32)
        columns = np.unique(view.owner[entries])
        return cls(own, mean[:, entries], view.codes(data, mean)[:, columns], view.plain(data)[:, columns])

    def of_learner(self, name: str) -> Floats:
        """Return what a learner reads."""
        return {"forest": self.codes, "kernel": self.completed, "boosting": self.plain}[name]


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
        What is known without them.
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
        view: View,
        data: Encoded,
        completed: Sequence[Floats],
        block: Block,
        names: Sequence[str],
        rng: np.random.Generator,
    ) -> tuple[Self, Target, Floats]:
        """Let the learners of these names learn from rows completed with this column hidden, [n, width] each.

        Returns
        -------
        ColumnModel
        Target
            The truth.
        float32 [m, size]
            Predictions of its cells by predictors that did not see them.
        """
        target = Target.of(data, block)
        rows = [part[target.seen] for part in completed]
        entries = _entries(view, np.mean(rows, axis=0, dtype=np.float32), target)
        inputs = Inputs.of(view, data.take(target.seen), rows, block.position, entries)
        marginal = target.marginal()
        told = [np.tile(marginal, (len(target.truth), 1)), *(_whole(own, target) for own in inputs.own)]
        learners: dict[str, Any] = {}
        if target.varies and len(target.truth) >= FEWEST and len(entries):
            for name in names:
                learners[name], held_out = LEARNERS[name].fit(inputs.of_learner(name), target, rng)
                told.append(held_out)
        found = _without_small(weights(np.stack(told), target))
        mixed = np.asarray(np.tensordot(found, np.stack(told), axes=1), dtype=np.float32)
        known, counts = np.split(found, [1 + len(completed)])
        shares = {name: weight for name, weight in zip(learners, counts, strict=True) if weight}
        every = np.append(known, [shares.get(name, 0.0) for name in LEARNERS])
        return cls(block, entries, marginal, every, {name: learners[name] for name in shares}), target, mixed

    def predict(self, view: View, data: Encoded, completed: Sequence[Floats]) -> Floats:
        """Return predictions for rows [k] as each base completes them: numbers or probabilities, float32 [k, size]."""
        target = Target(self.block, np.zeros(0, bool), np.zeros(0))
        inputs = Inputs.of(view, data, completed, self.block.position, self.entries)
        total = np.tile(self.weights[0] * self.marginal, (len(data), 1))
        bases, learners = np.split(self.weights[1:], [len(completed)])
        for weight, own in zip(bases, inputs.own, strict=True):
            total += weight * _whole(own, target)
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
        """Take back what `arrays` returned."""
        learners: dict[str, dict[str, NDArray[Any]]] = {}
        for name, array in arrays.items():
            learner, _, part = name.partition(".")
            if part:
                learners.setdefault(learner, {})[part] = array
        fitted = {name: LEARNERS[name](**parts) for name, parts in learners.items()}
        return cls(block, arrays["entries"], arrays["marginal"], arrays["weights"], fitted)


def _without_small(found: Scores) -> Scores:
    """Return weights that sum to 1, those below `SMALLEST` being 0."""
    kept = np.where(found >= min(SMALLEST, found.max()), found, 0.0)
    return np.asarray(kept / kept.sum())


def _whole(own: Floats, target: Target) -> Floats:
    """Return a base's prediction for all levels, those included that it was not shown."""
    if target.number:
        return own
    missing = max(0, target.block.size - own.shape[1])
    return target.proper(np.pad(own, ((0, 0), (0, missing))))


def _entries(view: View, completed: Floats, target: Target) -> NDArray[np.intp]:
    """Return the entries to read: the other columns', or the most correlated of them."""
    others = np.flatnonzero(view.owner != target.block.position)
    if len(others) <= INPUTS or not target.varies:
        return others[:INPUTS]
    rows, outputs = completed[:, others].astype(np.float64), target.outputs()
    rows, outputs = rows - rows.mean(axis=0), outputs - outputs.mean(axis=0)
    size = np.sqrt(np.square(rows).sum(axis=0))[:, None] * np.sqrt(np.square(outputs).sum(axis=0))
    correlation = np.abs(np.divide(rows.T @ outputs, size, out=np.zeros_like(size), where=size > 0)).max(axis=1)
    return np.sort(others[np.argsort(-correlation, kind="stable")[:INPUTS]])
