"""The classifier two-sample test: can boosted trees predict which table a row that they have not seen is from?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from anomalo.evaluation.comparison.aligned import Aligned
from anomalo.evaluation.comparison.profile import Values
from anomalo.evaluation.comparison.relations import Pair, changed_pairs, normal_scores
from anomalo.models.learners.boosting import few_threads
from anomalo.tabular.parsing import Mask

FEWEST = 40
"""With fewer rows of either table there is no classifier."""
PRODUCTS = 8
"""Products of two columns that the trees see besides the columns."""
TREES: dict[str, Any] = {"max_iter": 50, "max_leaf_nodes": 8, "min_samples_leaf": 20, "early_stopping": False}
EXPLAINED = 2500
"""Rows of a half by which the importance of columns is estimated, at most."""
LEVELS = 250
"""Levels of a category that the trees distinguish, at most."""


@dataclass(frozen=True)
class ClassifierTest:
    """The result of the test.

    Attributes
    ----------
    p_value : float
        Twice the smaller of the p-values of both halves.
    auroc : float
        The mean area under the ROC curve in both halves; 0.5 is chance.
    importance : float64 [columns]
        By how much it falls if a column's cells are permuted.
    pairs : tuple of pair of int
        Pairs of columns whose products the trees of a half saw, the most changed first.
    """

    p_value: float
    auroc: float
    importance: Values
    pairs: tuple[Pair, ...]


def classifier_test(data: Aligned, seed: int = 0, explain: float = 1.0) -> ClassifierTest | None:
    """Return whether rows of the two tables can be distinguished; None if there are too few.

    The rows are halved at random, boosted trees learn each half, and score the other one. If both tables are of one
    distribution, each order of the labels of the scored half is as likely as any other, whatever the trees learned and
    however the columns depend on each other: the rank sum of the scores has the null distribution of Wilcoxon, Mann and
    Whitney. The two p-values depend on each other, so the smaller one is doubled (Bonferroni).

    Parameters
    ----------
    explain : float
        The importance of columns is computed only if the p-value is at most this.

    References: Friedman (2003), On multivariate goodness-of-fit and two-sample testing, PHYSTAT; Kim, Ramdas, Singh and
    Wasserman (2021), Classification accuracy as a proxy for two-sample testing, Annals of Statistics 49.
    """
    if min(data.sizes) < FEWEST or not len(data.compared):
        return None
    rng = np.random.default_rng(seed)
    half, inputs = _halves(data.now, rng), _Inputs.of(data)
    importance = np.zeros(len(data.columns))
    with few_threads(inputs.values.size):
        folds = [_Fold.fit(inputs, data.now, train, seed) for train in (half, ~half)]
        p_value = min(1.0, 2 * min(fold.p_value for fold in folds))
        if p_value <= explain:
            importance[data.compared] = np.mean([fold.importance(rng) for fold in folds], axis=0)
    pairs = dict.fromkeys((int(data.compared[i]), int(data.compared[j])) for fold in folds for i, j in fold.pairs)
    return ClassifierTest(p_value, float(np.mean([fold.auroc for fold in folds])), importance, tuple(pairs))


def rank_sum(scores: Values, now: Mask) -> tuple[float, float]:
    """Return the one-sided p-value of the test of Mann and Whitney that rows of now score higher, and the AUROC."""
    found = stats.mannwhitneyu(scores[now], scores[~now], alternative="greater", method="asymptotic")
    return float(found.pvalue), float(found.statistic / (now.sum() * (~now).sum()))


def _halves(now: Mask, rng: np.random.Generator) -> Mask:
    """Return a random half of the rows of each table."""
    half = np.zeros(len(now), dtype=np.bool_)
    for side in (False, True):
        rows = rng.permutation(np.flatnonzero(now == side))
        half[rows[: len(rows) // 2]] = True
    return half


@dataclass(frozen=True)
class _Inputs:
    """What trees learn from.

    Attributes
    ----------
    values : float64 [n, k]
        The columns that are compared.
    scores : float64 [n, k]
        Their normal scores; 0 for those without an order.
    """

    values: Values
    scores: Values

    @classmethod
    def of(cls, data: Aligned) -> _Inputs:
        values = data.values[:, data.compared].copy()
        for to, at in enumerate(data.compared):
            if data.columns[at].levels:
                values[values[:, to] >= LEVELS, to] = LEVELS
        return cls(values, normal_scores(data))

    def take(self, rows: Mask) -> _Inputs:
        return _Inputs(self.values[rows], self.scores[rows])

    def without(self, columns: Mask) -> _Inputs:
        """Return these with constants for some columns."""
        return _Inputs(np.where(columns, 0.0, self.values), self.scores) if columns.any() else self

    def permuted(self, column: int, order: NDArray[np.intp]) -> _Inputs:
        values, scores = self.values.copy(), self.scores.copy()
        values[:, column], scores[:, column] = values[order, column], scores[order, column]
        return _Inputs(values, scores)

    def matrix(self, pairs: list[Pair]) -> Values:
        products = [self.scores[:, [i]] * self.scores[:, [j]] for i, j in pairs]
        return np.concatenate([self.values, *products], axis=1)


@dataclass(frozen=True)
class _Fold:
    """Trees that have learned one half, and what they have not seen."""

    trees: Any
    pairs: list[Pair]
    test: _Inputs
    now: Mask
    p_value: float
    auroc: float

    @classmethod
    def fit(cls, inputs: _Inputs, now: Mask, train: Mask, seed: int) -> _Fold:
        from sklearn.ensemble import HistGradientBoostingClassifier

        # scikit-learn has no bins for a column without a value.
        empty = np.asarray(np.isnan(inputs.values[train]).all(axis=0))
        inputs = inputs.without(empty)
        learned, test = inputs.take(train), inputs.take(~train)
        pairs = changed_pairs(learned.scores, now[train], PRODUCTS)
        trees = HistGradientBoostingClassifier(**TREES, random_state=seed).fit(learned.matrix(pairs), now[train])
        p_value, auroc = rank_sum(trees.decision_function(test.matrix(pairs)), now[~train])
        return cls(trees, pairs, test, now[~train], p_value, auroc)

    def importance(self, rng: np.random.Generator) -> Values:
        """Return by how much the AUROC falls if the cells of each column [k] are permuted, in products too."""
        rows = np.zeros(len(self.now), dtype=np.bool_)
        for side in (False, True):
            rows[rng.permutation(np.flatnonzero(self.now == side))[: EXPLAINED // 2]] = True
        test, now, order = self.test.take(rows), self.now[rows], rng.permutation(int(rows.sum()))
        whole = self._auroc(test, now)
        return np.array([whole - self._auroc(test.permuted(at, order), now) for at in range(test.values.shape[1])])

    def _auroc(self, inputs: _Inputs, now: Mask) -> float:
        return rank_sum(self.trees.decision_function(inputs.matrix(self.pairs)), now)[1]
