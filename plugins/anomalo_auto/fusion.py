"""Fusion of several members' scores: weights by agreement, a power mean of p-values."""

import numpy as np

from anomalo.plugin import Scores

POWER = 0.5
"""p-values are averaged as p ** -POWER: towards 0 it is Fisher's sum of logarithms, at 1 the harmonic mean."""
LEAST = 0.05
"""The weight of a member that agrees with no other, before the weights are normalised."""


def power_mean(surprisals: Scores, weights: Scores) -> Scores:
    """Return -log of the weighted power mean of exp(-surprisals), float64 [n], for surprisals [members, n]."""
    powered = POWER * surprisals + np.log(weights)[:, None]
    highest = powered.max(axis=0)
    total = highest + np.log(np.exp(powered - highest).sum(axis=0))
    return np.asarray(np.maximum(total / POWER, 0))


def agreement(surprisals: Scores) -> Scores:
    """Return weights that sum to 1, float64 [members]: Spearman's correlation with the mean rank of the others."""
    from scipy.stats import rankdata

    count = len(surprisals)
    ranks = np.stack([rankdata(member) for member in surprisals])
    weights = np.full(count, 1.0)
    for at in range(count if count > 2 else 0):  # two agree with each other equally
        weights[at] = _correlation(ranks[at], rankdata(np.delete(ranks, at, axis=0).mean(axis=0)))
    weights = np.maximum(weights, LEAST)
    return np.asarray(weights / weights.sum())


def _correlation(one: Scores, other: Scores) -> float:
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / size if size else 0.0
