"""Fusion of several members' surprisals: the harmonic mean of their p-values."""

import numpy as np

from anomalo.plugin import Scores


def harmonic_mean(surprisals: Scores) -> Scores:
    """Return -log of the harmonic mean of p-values exp(-surprisals), float64 [n] >= 0, for surprisals [members, n].

    Reference: Wilson (2019), The harmonic mean p-value for combining dependent tests, PNAS 116.
    """
    highest = surprisals.max(axis=0)
    return np.asarray(highest + np.log(np.exp(surprisals - highest).mean(axis=0)))


def weighted_harmonic_mean(surprisals: Scores, weights: Scores) -> Scores:
    """Return -log of the harmonic mean of p-values with positive weights [members] that sum to 1, float64 [n].

    Examples
    --------
    >>> found = weighted_harmonic_mean(np.array([[1.0, 8.0], [3.0, 2.0]]), np.array([0.5, 0.5]))
    >>> bool(np.allclose(found, harmonic_mean(np.array([[1.0, 8.0], [3.0, 2.0]]))))
    True
    """
    return harmonic_mean(surprisals + np.log(len(weights) * weights)[:, None])


def shares(surprisals: Scores) -> Scores:
    """Return how much each member raises the fused score, float64 [members, n]: its derivatives, which sum to 1."""
    powers = np.exp(surprisals - surprisals.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))
