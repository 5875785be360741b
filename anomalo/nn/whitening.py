"""Matrices that give correlated numbers unit covariance."""

from __future__ import annotations

import numpy as np

from anomalo.encoding.encoded import Floats
from anomalo.models.learners.shrinkage import ledoit_wolf

SMALLEST_DEVIATION = 0.02
"""No residual's standard deviation is taken to be less than this, in units of its column's."""
SMALLEST_EIGENVALUE = 1e-3


def whitening(deviations: Floats) -> Floats:
    """Return the symmetric matrix W for which the rows of `deviations @ W` have unit covariance.

    Deviations are about zero, not about their mean. The covariance is shrunk, and its smallest
    eigenvalues are bounded from below, so that constant or dependent columns do no harm.

    Parameters
    ----------
    deviations : float32 [n, k]

    Returns
    -------
    float32 [k, k]

    Reference: Ledoit and Wolf (2004), A well-conditioned estimator for large-dimensional covariance
    matrices, Journal of Multivariate Analysis 88; Kessy, Lewin and Strimmer (2018), Optimal whitening and
    decorrelation, The American Statistician 72.
    """
    values = deviations.astype(np.float64)
    if not values.size:
        return np.zeros((0, 0), dtype=np.float32)
    deviation = np.maximum(np.sqrt(np.mean(values**2, axis=0)), SMALLEST_DEVIATION)
    if len(values) == 1:  # one row has no correlations
        return np.diag(1 / deviation).astype(np.float32)
    covariance = ledoit_wolf(values / deviation, centred=True)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    root = (vectors / np.sqrt(np.maximum(eigenvalues, 0) + SMALLEST_EIGENVALUE)) @ vectors.T
    whitened: Floats = (root / deviation[:, None]).astype(np.float32)
    return whitened
