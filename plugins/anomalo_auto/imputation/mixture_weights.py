"""Weights of a mixture of predictors, which sum to 1, learned on predictions of held-out cells."""

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Scores
from anomalo_auto.imputation.target_column import Target

STEPS = 100
"""Steps of EM."""
SUM = 1e3
"""The weight of the equation that the weights of a least-squares fit sum to 1."""
FLOOR = 1e-4
"""Added to the probability that a predictor gives to the true level."""


def mixture_weights(predictions: NDArray[np.floating], target: Target) -> Scores:
    """Return the weights of the best convex mixture, float64 [predictors].

    Numbers by non-negative least squares, categories by the likelihood of the mixture (EM).

    Parameters
    ----------
    predictions : float [predictors, m, size]
        Predictions of cells that the predictors were not fitted on.

    Reference: Breiman (1996), Stacked regressions, Machine Learning 24; Dempster, Laird and Rubin (1977), Maximum
    likelihood from incomplete data via the EM algorithm, JRSS B 39 (mixture weights).
    """
    if not predictions.shape[1]:
        return np.full(len(predictions), 1 / len(predictions))
    return _least_squares(predictions[:, :, 0], target.truth) if target.number else _mixture(predictions, target.levels)


def _least_squares(predictions: NDArray[np.floating], truth: Scores) -> Scores:
    from scipy.optimize import nnls

    scale = max(float(np.std(truth)), 1e-12) * np.sqrt(len(truth))
    rows = np.vstack([(predictions - truth).T / scale, np.full((1, len(predictions)), SUM)])
    found, _ = nnls(rows, np.append(np.zeros(len(truth)), SUM))
    total = found.sum()
    return np.asarray(found / total if total else np.full(len(predictions), 1 / len(predictions)))


def _mixture(predictions: NDArray[np.floating], levels: NDArray[np.intp]) -> Scores:
    likelihood = predictions[:, np.arange(len(levels)), levels].astype(np.float64) + FLOOR
    found = np.full(len(predictions), 1 / len(predictions))
    for _ in range(STEPS):
        share = found[:, None] * likelihood
        found = (share / share.sum(axis=0)).mean(axis=1)
    return found
