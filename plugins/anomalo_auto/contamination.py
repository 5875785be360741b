"""Anomalies among the training rows: which rows the members are fitted on."""

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Scores

TRIMMED = 0.15
"""The share of the rows that is left out where anomalies may be among them."""


def least_suspicious(surprisals: Scores) -> NDArray[np.bool_]:
    """Return which rows have the least surprisals, all but `TRIMMED` of them, bool [n].

    Anomalies among the training rows mask each other from flexible models, which learn them. Those that stand out all
    the same are left out of a second fit, which then shows more of them.

    Parameters
    ----------
    surprisals : float64 [n]
        Of the training rows, out of fold, in nats.

    Reference: Barnett and Lewis (1994), Outliers in statistical data, 3rd ed. (masking); Rousseeuw and Leroy (1987),
    Robust regression and outlier detection (trimming).
    """
    kept = max(1, round((1 - TRIMMED) * len(surprisals)))
    trusted = np.zeros(len(surprisals), dtype=np.bool_)
    trusted[np.argsort(surprisals, kind="stable")[:kept]] = True
    return trusted
