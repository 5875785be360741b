"""The imputer `boosted`: gradient-boosted trees predict each column from the others, with their missing values."""

import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from anomalo.plugin import (
    FIRST_LEVEL,
    ROW_BLOCK,
    Block,
    ConditionalImputer,
    Encoded,
    FittedBoosting,
    Floats,
    Run,
    Scores,
    Trees,
    boosting_inputs,
    few_threads,
    flatten_boosting,
    missing_on_both_sides,
    param,
)

FOLDS = 3
"""Models for each column; each leaves out the rows of one fold."""
FEWEST = 6
"""With fewer observed cells a column is imputed by its mean or its levels' shares."""
MOST_TREES = 600
"""Trees of one model at most: a category with many levels, which takes one for each, gets fewer steps."""
NEVER = -1e3
"""The log-odds of a level that the model was not fitted on."""


@dataclass(kw_only=True)
class BoostedImputer(ConditionalImputer):
    """Histogram gradient boosting for each column, by squared error for numbers and log loss for categories.

    A missing value goes to whichever side of a split was better in training; a category is split into any two sets of
    levels. A column has three models, each fitted without a third of the rows; a new row gets their mean, and intervals
    follow from the residuals of the rows that each model was fitted without.

    Reference: Friedman (2001), Greedy function approximation: a gradient boosting machine, Annals of Statistics 29;
    Ke et al. (2017), LightGBM: a highly efficient gradient boosting decision tree, NeurIPS.

    Examples
    --------
    >>> BoostedImputer(trees=100).params()
    {'trees': 100, 'rate': 0.1, 'leaves': 15}
    """

    name = "boosted"

    trees: int = param(60, low=1, high=10_000, help="Steps of boosting; fewer for categories with many levels.")
    rate: float = param(0.1, low=1e-4, high=1.0, help="The learning rate: the factor of each tree.")
    leaves: int = param(15, low=2, high=10_000, help="Leaves of a tree, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit three models for each column with observed cells."""
        matrix, seeds = boosting_inputs(data), np.random.default_rng(run.seed)
        positions, baselines = [], [np.zeros(0)]
        boostings: list[FittedBoosting | None] = []
        held_out = {}
        for block in data.layout.blocks:
            rows = np.flatnonzero(data.observed[:, block.position])
            fold = seeds.permutation(len(rows)) % FOLDS
            truth = data.values[rows, block.position]
            predicted = np.zeros(len(rows))
            for number in range(FOLDS if len(rows) else 0):
                kept = (fold != number) | (len(rows) < FEWEST)
                given = _without(matrix[rows], block.position, kept)
                boosting = self._boost(given[kept], truth[kept], block, data, int(seeds.integers(2**31)))
                positions.append(block.position)
                boostings.append(boosting)
                baselines.append(_baseline(boosting, truth[kept], block))
                if block.kind == "number" and boosting:
                    predicted[~kept] = boosting.model.predict(given[~kept])
            if block.kind == "number" and len(rows) >= FEWEST:
                held_out[block.position] = predicted, truth
        self.positions_ = np.array(positions, dtype=np.int64)
        self.baselines_ = np.concatenate(baselines)
        self._flatten(boostings, data)
        self.remember(data, run, held_out)
        return self

    def predict(self, data: Encoded) -> tuple[Floats, dict[int, Floats]]:
        """Return the means of the models' predictions, and of their probabilities by position."""
        predicted = np.zeros(data.values.shape, dtype=np.float32)
        sizes = {int(position): data.layout.blocks[position].size for position in data.layout.categories}
        proba = {at: np.full((len(data), size), 1 / max(1, size), dtype=np.float32) for at, size in sizes.items()}
        matrix, first = missing_on_both_sides(boosting_inputs(data), data.layout.categories), 0
        for number in range(0, len(self.positions_), FOLDS):
            position = int(self.positions_[number])
            size, rows = sizes.get(position, 1), np.flatnonzero(~data.observed[:, position])
            total = np.zeros((len(rows), size))
            for model in range(number, number + FOLDS):
                raw = self._raw(model, matrix[rows], self.baselines_[first : first + size])
                total += softmax(raw, axis=1) if position in sizes else raw
                first += size
            if position in sizes:
                proba[position][rows] = total / FOLDS
            else:
                predicted[rows, position] = total[:, 0] / FOLDS
        return predicted, proba

    def _boost(self, given: Floats, truth: Floats, block: Block, data: Encoded, seed: int) -> FittedBoosting | None:
        """Return one fitted model; None if there is too little to learn from."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        classes = len(np.unique(truth)) if block.kind == "category" else 1
        if len(truth) < FEWEST or (block.kind == "category" and classes < 2):
            return None
        categories = {int(at): np.unique(given[:, at]) for at in data.layout.categories}
        levels = {at: found[~np.isnan(found)].astype(np.intp) for at, found in categories.items()}
        kind = HistGradientBoostingRegressor if block.kind == "number" else HistGradientBoostingClassifier
        model = kind(
            max_iter=max(1, min(self.trees, MOST_TREES // classes)),
            learning_rate=self.rate,
            max_leaf_nodes=self.leaves,
            categorical_features=sorted(levels) or None,
            early_stopping=False,
            random_state=seed,
        )
        with warnings.catch_warnings(), few_threads(given.size):
            warnings.filterwarnings("ignore", "The number of unique classes")  # levels are classes however many
            return FittedBoosting(model.fit(given, truth), levels)

    def _flatten(self, boostings: list[FittedBoosting | None], data: Encoded) -> None:
        """Concatenate the trees of all models."""
        trees, self.values_ = flatten_boosting([boosting for boosting in boostings if boosting], data.values.shape[1])
        self.roots_, self.depths_, self.feature_, self.threshold_ = trees[:4]
        self.children_, self.listed_, self.sets_ = trees[4:]
        outputs = [_outputs(boosting) for boosting in boostings]
        self.outputs_ = np.concatenate([np.zeros(0, np.int64), *outputs])
        self.ends_ = np.cumsum([len(output) for output in outputs], dtype=np.int64)

    def _raw(self, model: int, matrix: Floats, baseline: Scores) -> Scores:
        """Return the sum of one model's trees for rows [n, 2 * columns], float64 [n, size]."""
        own = slice(self.ends_[model - 1] if model else 0, self.ends_[model])
        shared = self.feature_, self.threshold_, self.children_, self.listed_, self.sets_
        trees = Trees(self.roots_[own], self.depths_[own], *shared)
        raw = np.tile(baseline, (len(matrix), 1))
        for start in range(0, len(matrix), ROW_BLOCK):
            rows = slice(start, start + ROW_BLOCK)
            for output, leaf in zip(self.outputs_[own], trees.leaves(matrix[rows]), strict=True):
                raw[rows, output] += self.values_[leaf]
        return raw


def _without(matrix: Floats, column: int, kept: NDArray[np.bool_]) -> Floats:
    """Return the inputs in which the column itself, and those without an observed cell in `kept` rows, are constant."""
    given = matrix.copy()
    given[:, column] = 0.0
    given[:, np.isnan(given[kept]).all(axis=0)] = 0.0
    return given


def _levels(boosting: FittedBoosting) -> NDArray[np.intp]:
    levels: NDArray[np.intp] = boosting.model.classes_.astype(np.intp) - FIRST_LEVEL
    return levels


def _outputs(boosting: FittedBoosting | None) -> NDArray[np.int64]:
    """Return the level that each tree predicts, int64 [trees]: the second of two, one of several; 0 for a number."""
    if boosting is None:
        return np.zeros(0, dtype=np.int64)
    steps = boosting.model._predictors
    if not hasattr(boosting.model, "classes_"):
        return np.zeros(len(steps), dtype=np.int64)
    return np.tile(_levels(boosting)[-len(steps[0]) :], len(steps)).astype(np.int64)


def _baseline(boosting: FittedBoosting | None, truth: Floats, block: Block) -> Scores:
    """Return the baseline that the trees add to: a number's mean, or log-odds of levels, float64 [size]."""
    if block.kind == "number":
        return np.array([truth.mean(dtype=np.float64)]) if boosting is None else boosting.model._baseline_prediction[0]
    scores = np.full(block.size, NEVER)
    if boosting is None:
        counts = np.bincount(truth.astype(np.intp) - FIRST_LEVEL, minlength=block.size)
        scores[counts > 0] = np.log(counts[counts > 0])
    else:
        start = boosting.model._baseline_prediction[0]
        scores[_levels(boosting)] = np.append(0.0, start) if len(start) == 1 else start
    return scores
