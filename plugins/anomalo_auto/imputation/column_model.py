"""The predictors of one column, and their weights."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Block, Floats, Scores
from anomalo_auto.imputation.discriminant import Discriminant, all_levels
from anomalo_auto.imputation.entry_layout import EntryLayout
from anomalo_auto.imputation.forest import ColumnForest, grow, unfitted
from anomalo_auto.imputation.kernel_ridge import KernelRidge
from anomalo_auto.imputation.mixture_weights import mixture_weights
from anomalo_auto.imputation.target_column import Target, expanded

LEARNERS: dict[str, Any] = {"discriminant": Discriminant, "kernel": KernelRidge, "forest": ColumnForest}
PREDICTORS = ("marginal", "base", *LEARNERS)
FEWEST = 20
"""The fewest observed cells on which learners are fitted; with fewer, only weights are."""
SMALLEST = 0.02
"""Predictors with a smaller weight are left out, as they would cost time and hardly count."""
LEAST = 1e-4
"""The smallest probability of a level."""
SCREEN = 1 / 5
"""The share of a forest's trees that is grown first; if they get no weight, the others are not grown."""


@dataclass(frozen=True)
class ColumnModel:
    """Predicts one column from completed rows.

    Attributes
    ----------
    block : Block
        The column.
    inputs : intp [k]
        The entries of completed rows that learners read.
    marginal : float64 [size]
        The prediction without them.
    weights : float64 [predictors]
        Of the marginal, of the column's entries in the completed rows, and of the learners.
    learners : dict
        By name; only those with a weight.
    """

    block: Block
    inputs: NDArray[np.intp]
    marginal: Scores
    weights: Scores
    learners: dict[str, Any]

    @classmethod
    def fit(
        cls,
        entry_layout: EntryLayout,
        target: Target,
        inputs: NDArray[np.intp],
        others: Floats,
        base: Floats,
        names: Collection[str],
        rng: np.random.Generator,
        sizes: Mapping[str, int],
    ) -> tuple[Self, Floats]:
        """Fit the learners of these names on rows that were completed with the column hidden.

        Parameters
        ----------
        others, base : float32 [m, k], float32 [m, entries]
            The inputs and the column's entries, of the rows in which it is observed.
        sizes : dict
            `trees` of a forest, `landmarks` of the kernel.

        Returns
        -------
        ColumnModel
        float32 [m, size]
            Held-out predictions of the target.
        """
        marginal = target.marginal()
        learners: dict[str, Any] = {}
        predictions: dict[str, NDArray[Any]] = {
            "marginal": np.tile(marginal, (len(target.truth), 1)),
            "base": _expected(base, target.block, marginal),
        }
        if target.varies and len(target.truth) >= FEWEST and len(inputs):
            if "discriminant" in names and base.shape[1] > 1:
                learners["discriminant"], predictions["discriminant"] = Discriminant.fit(base, target, rng)
            if "kernel" in names:
                learners["kernel"], predictions["kernel"] = KernelRidge.fit(others, target, rng, sizes["landmarks"])
            if "forest" in names:
                codes = entry_layout.codes(others, inputs)
                learners["forest"], predictions["forest"] = _forest(codes, target, predictions, sizes["trees"], rng)
        weights = mixture(predictions, target)
        every = np.array([weights.get(name, 0.0) for name in PREDICTORS])
        mixed = np.stack([weight * predictions[name] for name, weight in weights.items()]).sum(axis=0)
        kept = {name: learner for name, learner in learners.items() if weights[name]}
        return cls(target.block, inputs, marginal, every, kept), np.asarray(mixed, dtype=np.float32)

    def predict(self, entry_layout: EntryLayout, others: Floats, base: Floats) -> Floats:
        """Return predictions from completed rows, their inputs [k, inputs] and the column's entries [k, entries].

        Returns
        -------
        float32 [k, size]
            Numbers in units of the column's scale, or probabilities.
        """
        target = Target(self.block, np.zeros(0, bool), np.zeros(0))
        predicted = _expected(base, self.block, self.marginal)
        total = self.weights[0] * self.marginal + self.weights[1] * predicted
        for weight, name in zip(self.weights[2:], LEARNERS, strict=True):
            if name in self.learners:
                read = {"discriminant": base, "kernel": others}.get(name)
                read = entry_layout.codes(others, self.inputs) if read is None else read
                total += weight * self.learners[name].predict(read, target)
        return np.asarray(total, dtype=np.float32)

    def kept(self) -> Self:
        """Return the model that predicts in a further round what this one did."""
        return replace(self, weights=np.array([0.0, 1.0] + [0.0] * len(LEARNERS)), learners={})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that was learned, by name."""
        found = {name: getattr(self, name) for name in ("inputs", "marginal", "weights")}
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
        return cls(block, arrays["inputs"], arrays["marginal"], arrays["weights"], fitted)


def mixture(predictions: Mapping[str, NDArray[Any]], target: Target) -> dict[str, float]:
    """Return the weights of predictions [m, size] by name; they sum to 1, and those below `SMALLEST` are 0."""
    weights = mixture_weights(np.stack(list(predictions.values())), target)
    kept = np.where(weights >= min(SMALLEST, weights.max()), weights, 0.0)
    return dict(zip(predictions, (kept / kept.sum()).tolist(), strict=True))


def _forest(
    inputs: Floats, target: Target, rivals: Mapping[str, NDArray[Any]], trees: int, rng: np.random.Generator
) -> tuple[ColumnForest, Floats]:
    """Return a forest and its out-of-bag predictions; it has few trees if they get no weight beside the rivals."""
    forest = unfitted(target, len(inputs), rng)
    held_out = grow(forest, max(1, round(SCREEN * trees)), inputs, target)
    if mixture({**rivals, "forest": held_out}, target)["forest"]:
        held_out = grow(forest, trees, inputs, target)
    return ColumnForest.of(forest, target), held_out


def _expected(entries: Floats, block: Block, marginal: Scores) -> Floats:
    """Return what a column's completed entries predict, float32 [n, size]: numbers in units of its scale, or levels."""
    if not entries.shape[1]:
        return np.tile(marginal, (len(entries), 1)).astype(np.float32)
    if block.kind == "number":
        return expanded(entries).astype(np.float32)
    return all_levels(np.maximum(entries, LEAST), marginal)
