"""Relations of two columns that differ between two samples: products of normal scores."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata, spearmanr

from anomalo.evaluation.comparison.aligned import Aligned
from anomalo.evaluation.comparison.profile import Values
from anomalo.tabular.parsing import Mask

MOST_COLUMNS = 300
"""Columns whose pairs are looked at, at most."""

Pair = tuple[int, int]


def normal_scores(data: Aligned) -> Values:
    """Return the normal scores of the columns that are compared and have an order, or two levels; 0 for others.

    Ranks are those in both samples together, so that they do not depend on which row is of which table. A missing cell
    has 0.

    Returns
    -------
    scores : float64 [n, compared]

    Reference: van der Waerden (1952), Order tests for the two-sample problem.
    """
    scores = np.zeros((len(data.values), len(data.compared)))
    for to, at in enumerate(data.compared[:MOST_COLUMNS]):
        values = data.values[:, at]
        there = ~np.isnan(values)
        if len(data.columns[at].levels) in (0, 2) and there.any():
            scores[there, to] = ndtri((rankdata(values[there]) - 0.5) / there.sum())
    return scores


def changed_pairs(scores: Values, now: Mask, most: int) -> list[Pair]:
    """Return the pairs of columns of `scores` whose mean product differs most, by Welch's statistic."""
    used = np.flatnonzero(scores.any(axis=0))
    if len(used) < 2:
        return []
    scores, means, variances = scores[:, used], [], []
    for side in (scores[~now], scores[now]):
        mean = side.T @ side / len(side)
        squares = (side**2).T @ side**2 / len(side)
        means.append(mean)
        variances.append(np.maximum(squares - mean**2, 1e-12) / len(side))
    statistic = np.abs(means[1] - means[0]) / np.sqrt(variances[0] + variances[1])
    first, second = np.triu_indices(len(statistic), 1)
    order = np.argsort(-statistic[first, second], kind="stable")[:most]
    return [(int(used[first[at]]), int(used[second[at]])) for at in order]


def rank_correlation(values: Values) -> float:
    """Return Spearman's rank correlation of two columns [n, 2], over the rows that have both; 0 if it is undefined."""
    known = values[~np.isnan(values).any(axis=1)]
    if len(known) < 3 or (known == known[0]).all(axis=0).any():
        return 0.0
    return float(spearmanr(known[:, 0], known[:, 1]).statistic)
