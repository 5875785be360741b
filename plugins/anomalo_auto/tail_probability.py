"""From scores to surprisals in nats: how improbable a score is among the training scores, and beyond them."""

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Scores

BULK = 0.9
"""Up to this quantile the distribution is empirical; beyond it the tail is extrapolated."""
KNOTS = 200
"""Quantiles that are kept of the bulk."""
SHAPE = 0.3
"""The prior shape of the tail, with the weight of `PRIOR` scores."""
PRIOR = 20
HEAVIEST = 0.9
FLAT = 1e-6
"""No tail is taken to be shorter than this, relative to the scores' size."""


def fit_tail(scores: Scores) -> Scores:
    """Summarise training scores as [KNOTS quantiles, scale, shape], float64 [KNOTS + 2].

    The excesses over the 90th percentile follow a generalised Pareto distribution, whose shape is estimated by
    probability-weighted moments and shrunk, as few excesses are little evidence.

    Reference: Pickands (1975), Statistical inference using extreme order statistics, Annals of Statistics 3; Hosking
    and Wallis (1987), Parameter and quantile estimation for the generalized Pareto distribution, Technometrics 29.

    Parameters
    ----------
    scores : float64 [n]
        At least one.
    """
    knots = np.quantile(scores, np.linspace(0, BULK, KNOTS))
    excess = np.sort(scores[scores > knots[-1]] - knots[-1])
    shape = (_shape(excess) * len(excess) + SHAPE * PRIOR) / (len(excess) + PRIOR)
    shape = float(np.clip(shape, 0, HEAVIEST))
    mean = float(excess.mean()) if len(excess) else 0.0
    scale = max(mean * (1 - shape), FLAT * max(1.0, float(np.abs(knots[-1]))))
    return np.array([*knots, scale, shape])


def _shape(excess: Scores) -> float:
    """Estimate the shape from ascending excesses: 2 - b0 / (b0 - 2 b1), b1 the mean weighted by ranks from the top."""
    count = len(excess)
    if count < 3:
        return SHAPE
    mean, weighted = excess.mean(), float(excess @ np.arange(count - 1, -1, -1)) / (count * (count - 1))
    return float(2 - mean / max(mean - 2 * weighted, 1e-12))


def surprisal(scores: Scores, tail: NDArray[np.float64]) -> Scores:
    """Return -log of the estimated probability of a score at least as high, float64 [n] >= 0, in nats."""
    knots, (scale, shape) = tail[:KNOTS], tail[KNOTS:]
    last = np.append(np.flatnonzero(np.diff(knots)), KNOTS - 1)  # of equal knots the rightmost
    bulk = -np.log1p(-np.linspace(0, BULK, KNOTS))
    beyond = np.maximum(scores - knots[-1], 0) / scale
    extreme = np.log1p(shape * beyond) / shape if shape > 1e-3 else beyond
    return np.asarray(np.interp(scores, knots[last], bulk[last]) + extreme)
