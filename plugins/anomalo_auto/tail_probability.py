"""From scores to surprisals in nats: how improbable a score is among the training scores, and beyond them."""

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Scores

MIDDLE, BULK = 0.7, 0.85
"""Up to the second quantile the distribution is empirical; beyond it the tail is extrapolated from both."""
KNOTS = 200
"""Quantiles that are kept of the bulk."""
LEAST = 0.05
"""The least scale of the tail, relative to the mean excess over its beginning: where many scores are equal."""
FLAT = 1e-6
"""No tail is taken to be shorter than this, relative to the scores' size."""


def fit_tail(scores: Scores) -> Scores:
    """Summarise training scores as [KNOTS quantiles, scale], float64 [KNOTS + 1].

    The tail beyond the 85th percentile is exponential. Its scale is not that of the highest training scores, which
    anomalies among the rows would inflate, so that they would seem usual: it is taken from the 70th to the 85th
    percentile. So a member under which some rows stand out far from the others counts more for them.

    Reference: Embrechts, Klueppelberg and Mikosch (1997), Modelling extremal events, ch. 6 (exponential tails); Barnett
    and Lewis (1994), Outliers in statistical data, 3rd ed. (masking).

    Parameters
    ----------
    scores : float64 [n]
        At least one.
    """
    knots = np.quantile(scores, np.linspace(0, BULK, KNOTS))
    middle = float(np.quantile(scores, MIDDLE))
    excess = scores[scores > knots[-1]] - knots[-1]
    smallest = max(LEAST * float(excess.mean()) if len(excess) else 0.0, FLAT * max(1.0, float(np.abs(knots[-1]))))
    scale = (knots[-1] - middle) / np.log((1 - MIDDLE) / (1 - BULK))
    return np.append(knots, max(float(scale), smallest))


def surprisal(scores: Scores, tail: NDArray[np.float64]) -> Scores:
    """Return -log of the estimated probability of a score at least as high, float64 [n] >= 0, in nats."""
    knots, scale = tail[:KNOTS], tail[KNOTS]
    last = np.append(np.flatnonzero(np.diff(knots)), KNOTS - 1)  # of equal knots the rightmost
    bulk = -np.log1p(-np.linspace(0, BULK, KNOTS))
    return np.asarray(np.interp(scores, knots[last], bulk[last]) + np.maximum(scores - knots[-1], 0) / scale)
