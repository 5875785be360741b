"""Gradient boosting for one column, on inputs with missing values, as arrays: one booster for each fold."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from anomalo.plugin import (
    ROW_BLOCK,
    FittedBoosting,
    Floats,
    Trees,
    few_threads,
    flatten_boosting,
    missing_on_both_sides,
)
from anomalo_auto.imputation.target_column import Target

FOLDS = 3
STEPS, RATE, LEAF = 25, 0.2, 20
"""Boosting steps of one booster, learning rate, and the fewest rows of a leaf."""
NUMBERS = np.zeros(0, dtype=np.intp)
"""The positions of inputs that are categories: none."""
MOST_TREES = 200
"""Trees of one booster, at most: each step grows one for every class."""


@dataclass(frozen=True)
class ColumnBoosting:
    """Boosted trees laid end to end; their sum is a number, or the logits of levels.

    A split sends missing values to the side where they fit better; levels are taken as numbers.

    Reference: Friedman (2001), Greedy function approximation: a gradient boosting machine, Annals of Statistics 29;
    Twala, Jones and Hand (2008), Good methods for coping with missing data in decision trees, Pattern Recognition
    Letters 29.

    Attributes
    ----------
    roots, depths : int32 [trees]
    feature : int32 [nodes]
    threshold : float32 [nodes]
    children : int32 [nodes, 2]
    values : float32 [nodes]
    output : int32 [trees]
        The number of the booster and output that a tree adds to.
    start : float32 [boosters * outputs]
    classes : int32 [boosters, outputs]
        The levels that each booster was fitted on; -1 for none.
    """

    roots: NDArray[np.int32]
    depths: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Floats
    children: NDArray[np.int32]
    values: Floats
    output: NDArray[np.int32]
    start: Floats
    classes: NDArray[np.int32]

    @classmethod
    def fit(
        cls, inputs: Floats, target: Target, rng: np.random.Generator, count: int = FOLDS, steps: int = STEPS
    ) -> tuple[Self, Floats]:
        """Fit one booster without each fold of the inputs [m, width]; return also its predictions of that fold."""
        folds = rng.permutation(len(inputs)) % count
        seeds = rng.integers(2**31, size=count)
        boosters = [
            _boosted(inputs[folds != fold], target, folds != fold, int(seed), steps) for fold, seed in enumerate(seeds)
        ]
        boosting = cls(**_as_arrays(boosters, target))
        each = boosting._each(inputs, target)
        return boosting, np.asarray(each[folds, np.arange(len(inputs))], dtype=np.float32)

    def predict(self, inputs: Floats, target: Target) -> Floats:
        """Return the boosters' mean prediction, float32 [k, size]."""
        mean: Floats = self._each(inputs, target).mean(axis=0, dtype=np.float32)
        return mean

    def _each(self, inputs: Floats, target: Target) -> Floats:
        """Return the predictions of each booster, float32 [boosters, k, size]."""
        boosters, outputs = self.classes.shape
        total = np.repeat(self.start[:, None], len(inputs), axis=1)
        twice = missing_on_both_sides(inputs, NUMBERS)
        trees = Trees(self.roots, self.depths, self.feature, self.threshold, self.children)
        for begin in range(0, len(inputs), ROW_BLOCK):
            rows = slice(begin, begin + ROW_BLOCK)
            for output, leaves in zip(self.output, trees.leaves(twice[rows]), strict=True):
                total[output, rows] += self.values[leaves]
        raw = total.reshape(boosters, outputs, len(inputs)).transpose(0, 2, 1)
        if target.number:
            return raw
        return np.stack([_probabilities(part, known, target) for part, known in zip(raw, self.classes, strict=True)])


def _boosted(inputs: Floats, target: Target, rows: NDArray[np.bool_], seed: int, steps: int = STEPS) -> Any:
    """Return a fitted booster, or the level of all rows if they have only one."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    truth = target.truth[rows]
    levels = np.unique(truth)
    if not target.number and len(levels) < 2:
        return int(levels[0])
    per_step = 1 if target.number or len(levels) == 2 else len(levels)
    kind: Any = HistGradientBoostingRegressor if target.number else HistGradientBoostingClassifier
    some = np.where(np.isnan(inputs).all(axis=0), np.float32(0), inputs)  # scikit-learn fails on empty columns
    booster = kind(
        learning_rate=RATE,
        max_iter=max(5, min(steps, MOST_TREES // per_step)),
        min_samples_leaf=LEAF,
        early_stopping=False,
        random_state=seed,
    )
    with few_threads(some.size):
        return booster.fit(some, truth)


def _as_arrays(boosters: list[Any], target: Target) -> dict[str, NDArray[Any]]:
    """Lay the trees of all boosters end to end."""
    fitted = [booster for booster in boosters if not isinstance(booster, int)]
    trees, values = flatten_boosting([FittedBoosting(booster, {}) for booster in fitted], _width(fitted))
    known = [_known(booster, target) for booster in boosters]
    outputs = max(len(levels) for levels in known)
    classes = np.full((len(boosters), outputs), -1, dtype=np.int32)
    start = np.zeros((len(boosters), outputs), dtype=np.float32)
    output: list[int] = []
    for number, (booster, levels) in enumerate(zip(boosters, known, strict=True)):
        classes[number, : len(levels)] = levels
        if isinstance(booster, int):
            continue
        first = int(not target.number and len(levels) == 2)  # of two levels, the trees predict the second
        baseline = np.ravel(booster._baseline_prediction)
        start[number, first:][: len(baseline)] = baseline
        steps = booster._predictors
        output += [number * outputs + first + at for step in steps for at in range(len(step))]
    return {
        "roots": trees.roots,
        "depths": trees.depths,
        "feature": trees.feature,
        "threshold": trees.threshold,
        "children": trees.children,
        "values": values,
        "output": np.array(output, dtype=np.int32),
        "start": start.ravel(),
        "classes": classes,
    }


def _width(fitted: list[Any]) -> int:
    """Return the number of inputs of the boosters."""
    return max((booster.n_features_in_ for booster in fitted), default=0)


def _known(booster: Any, target: Target) -> list[int]:
    if target.number:
        return [0]
    return [booster] if isinstance(booster, int) else [int(level) for level in booster.classes_]


def _probabilities(raw: Floats, known: NDArray[np.int32], target: Target) -> Floats:
    """Return probabilities [k, size] of all levels from a booster's logits [k, outputs] of the `known` ones."""
    levels = known[known >= 0]
    if len(levels) == 1:
        proba = np.ones((len(raw), 1))
    elif len(levels) == 2:
        positive = expit(raw[:, 1])
        proba = np.stack([1 - positive, positive], axis=1)
    else:
        proba = softmax(raw[:, : len(levels)], axis=1)
    return target.all_levels(proba, levels)
