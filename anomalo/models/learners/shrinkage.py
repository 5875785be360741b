"""The shrunk covariance of few rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def ledoit_wolf(rows: Matrix, centred: bool = False) -> Matrix:
    """Return the covariance of rows, shrunk towards a multiple of the identity, float64 [k, k].

    Scikit-learn has the same, but takes a second to import.

    Parameters
    ----------
    rows : float64 [n, k]
        At least one row and one column.
    centred : bool
        Whether the mean is taken to be zero.

    Reference: Ledoit and Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices, Journal
    of Multivariate Analysis 88, lemmas 3.2 to 3.4.
    """
    centre = rows if centred else rows - rows.mean(axis=0)
    count, width = rows.shape
    covariance: Matrix = centre.T @ centre / count
    mean = float(np.trace(covariance)) / width
    # The squared Frobenius norms of the sample's distance from the identity's multiple, and of its error.
    distance = float(np.square(covariance).sum()) - width * mean**2
    error = float(np.square(np.square(centre).sum(axis=1)).sum()) / count**2 - np.square(covariance).sum() / count
    share = min(error, distance) / distance if error > 0 and distance > 0 else 0.0
    shrunk: Matrix = (1 - share) * covariance
    shrunk.flat[:: width + 1] += share * mean
    return shrunk
