"""Anomalies among the training rows: which rows the members are fitted on."""

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Scores

TRIMMED = 0.15
"""The share of the rows that is left out where anomalies may be among them."""


def least_suspicious(surprisals: Scores) -> NDArray[np.bool_]:
    """Return which rows robust detectors find the least surprising together, all but `TRIMMED` of them, bool [n].

    Anomalies among the training rows mask each other from flexible models, which learn them; not from detectors that
    look at each column alone or that leave the most anomalous rows out of their estimate.

    Parameters
    ----------
    surprisals : float64 [detectors, n]
        In nats; see `tail_probability.surprisal`.

    Reference: Barnett and Lewis (1994), Outliers in statistical data, 3rd ed. (masking); Rousseeuw and Leroy (1987),
    Robust regression and outlier detection (trimming).
    """
    total = surprisals.sum(axis=0)
    kept = max(1, round((1 - TRIMMED) * len(total)))
    trusted = np.zeros(len(total), dtype=np.bool_)
    trusted[np.argsort(total, kind="stable")[:kept]] = True
    return trusted
