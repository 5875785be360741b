"""Fusion of several members' surprisals: the harmonic mean of their p-values."""

import numpy as np

from anomalo.plugin import Scores


def harmonic_mean(surprisals: Scores) -> Scores:
    """Return -log of the harmonic mean of p-values exp(-surprisals), float64 [n] >= 0, for surprisals [members, n].

    Reference: Wilson (2019), The harmonic mean p-value for combining dependent tests, PNAS 116.
    """
    highest = surprisals.max(axis=0)
    return np.asarray(highest + np.log(np.exp(surprisals - highest).mean(axis=0)))


def shares(surprisals: Scores) -> Scores:
    """Return how much each member raises the fused score, float64 [members, n]: its derivatives, which sum to 1."""
    powers = np.exp(surprisals - surprisals.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))
