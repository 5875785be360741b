"""Gradient-boosted trees that predict each column from the others, holes and categories as they are."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Floats, Mask, Run, Scores, param
from anomalo.predictive import PredictiveImputer
from anomalo.trees import ROWS, Trees
from anomalo_baselines.histogram import HOLE, flattened_predictors, views

FOLDS = 3
"""Models for each column; each leaves out the rows of one fold."""
FEWEST = 6
"""With fewer known cells a column is filled by its mean or its levels' shares."""
MOST_TREES = 600
"""Trees of one model at most: a category with many levels, which takes one for each, gets fewer steps."""
NEVER = -1e3
"""The score of a level that the model has not seen."""


@dataclass(kw_only=True)
class Boosted(PredictiveImputer):
    """Histogram gradient boosting for each column, squared loss for numbers and log loss for categories.

    A hole goes to whichever side of a split was better in training; a split of a category is any set of its levels. A
    column has three models, each fitted without a third of the rows; a new row gets their mean, and how wrong it may be
    is told by what each said of the rows that it was fitted without.

    Reference: Friedman (2001), Greedy function approximation: a gradient boosting machine, Annals of Statistics 29;
    Ke et al. (2017), LightGBM: a highly efficient gradient boosting decision tree, NeurIPS.

    Examples
    --------
    >>> Boosted(trees=100).params()
    {'trees': 100, 'rate': 0.1, 'leaves': 15}
    """

    name = "boosted"

    trees: int = param(60, low=1, high=10_000, help="Steps of boosting; fewer for categories with many levels.")
    rate: float = param(0.1, low=1e-4, high=1.0, help="How much of each tree is added.")
    leaves: int = param(15, low=2, high=10_000, help="Leaves of a tree at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Boost the trees of three models for each column with known cells."""
        inputs, seeds = _inputs(data), np.random.default_rng(run.seed)
        models: list[tuple[int, Scores, list[Any], Any]] = []
        held_out = {}
        for block in data.layout.blocks:
            rows = np.flatnonzero(data.observed[:, block.position])
            fold = seeds.permutation(len(rows)) % FOLDS
            truth = data.values[rows, block.position]
            own = inputs[rows]
            own[:, block.position] = 0.0
            predicted = np.zeros(len(rows))
            for number in range(FOLDS if len(rows) else 0):
                kept = (fold != number) | (len(rows) < FEWEST)
                model = self._boost(own[kept], truth[kept], block, data, int(seeds.integers(2**31)))
                models.append(model)
                if block.kind == "number":
                    predicted[~kept] = model[3].predict(own[~kept]) if (~kept).any() else 0.0
            if block.kind == "number" and len(rows) >= FEWEST:
                held_out[block.position] = (predicted, truth)
        self._flatten(models, data)
        self.remember(data, run, held_out)
        return self
