"""How much each of several predictors counts: weights that sum to 1, learned on predictions of unseen cells."""

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Scores
from anomalo_auto.imputation.target_column import Target

ROUNDS = 100
SUM = 1e3
"""How strictly the weights of a least-squares fit sum to 1."""
FLOOR = 1e-4
"""The least probability that a predictor is taken to give to what happened."""


def weights(told: NDArray[np.floating], target: Target) -> Scores:
    """Return the weights of the best convex mixture, float64 [predictors].

    Numbers by non-negative least squares, categories by the likelihood of the mixture (EM).

    Parameters
    ----------
    told : float [predictors, m, size]
        Predictions of cells that the predictors did not see.

    Reference: Breiman (1996), Stacked regressions, Machine Learning 24; Dempster, Laird and Rubin (1977), Maximum
    likelihood from incomplete data via the EM algorithm, JRSS B 39 (mixture weights).
    """
    if not told.shape[1]:
        return np.full(len(told), 1 / len(told))
    return _least_squares(told[:, :, 0], target.truth) if target.number else _mixture(told, target.levels)


def _least_squares(told: NDArray[np.floating], truth: Scores) -> Scores:
    from scipy.optimize import nnls

    scale = max(float(np.std(truth)), 1e-12) * np.sqrt(len(truth))
    rows = np.vstack([(told - truth).T / scale, np.full((1, len(told)), SUM)])
    found, _ = nnls(rows, np.append(np.zeros(len(truth)), SUM))
    total = found.sum()
    return np.asarray(found / total if total else np.full(len(told), 1 / len(told)))


def _mixture(told: NDArray[np.floating], levels: NDArray[np.intp]) -> Scores:
    likelihood = told[:, np.arange(len(levels)), levels].astype(np.float64) + FLOOR
    found = np.full(len(told), 1 / len(told))
    for _ in range(ROUNDS):
        share = found[:, None] * likelihood
        found = (share / share.sum(axis=0)).mean(axis=1)
    return found
