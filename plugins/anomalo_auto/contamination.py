"""Anomalies among the training rows: how much robust members count, and which rows the other members are fitted on."""

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Scores
from anomalo_auto.fusion import power_mean

SUSPECTED = 0.02
"""The share of training rows, most anomalous to the robust members, that are compared with the reference model."""
LEAST_WEIGHT, RISE, MOST_WEIGHT = 0.4, 4.0, 2.0
"""A robust member's weight without a masking effect, how it rises with that effect, and its maximum."""
TRIMMED = 0.15
"""The share of the rows that is left out where anomalies are known to be among them."""


def robust_score(surprisals: Scores) -> Scores:
    """Return the robust members' joint anomaly scores, float64 [n] in nats, from surprisals [members, n]."""
    return power_mean(surprisals, np.full(len(surprisals), 1 / len(surprisals)))


def masking_effect(robust: Scores, reference: Scores) -> float:
    """Return how typical the rows that are most anomalous to the robust members are to a reference model, in [0, 1].

    Anomalies that lie close together mask each other from a model that looks at nearest rows, not from robust members
    that look at each column alone or leave the most anomalous rows out of their estimate. The result is the mean share
    of rows that the reference model scores higher than one of those that the robust members score highest.

    Parameters
    ----------
    robust, reference : float64 [n]
        Scores of the training rows by the robust members together, and by a model that anomalies can mislead.

    Reference: Barnett and Lewis (1994), Outliers in statistical data, 3rd ed. (masking).
    """
    from scipy.stats import rankdata

    rows = len(robust)
    suspects = np.argsort(-robust, kind="stable")[: max(3, int(np.ceil(SUSPECTED * rows)))]
    return float(1 - rankdata(reference)[suspects].mean() / rows)


def robust_weight(masking: float) -> float:
    """Return the weight of a robust member relative to another member, given the masking effect."""
    return min(LEAST_WEIGHT + RISE * masking, MOST_WEIGHT)


def least_suspicious(robust: Scores) -> NDArray[np.intp]:
    """Return the positions of the rows that the robust members score lowest, all but `TRIMMED` of them, ascending."""
    kept = max(1, round((1 - TRIMMED) * len(robust)))
    return np.sort(np.argsort(robust, kind="stable")[:kept])
