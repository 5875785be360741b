"""A logistic regression with a normal prior on each weight, given an offset of each example."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]


def logistic(design: Floats, scale: Floats, offset: Floats, target: Floats) -> Floats:
    """Return the likeliest weights [features] of log-odds = offset + design @ weights.

    Parameters
    ----------
    design : float array [n, features]
        The examples.
    scale : float array [features]
        The prior's standard deviation of each weight; its mean is 0.
    offset : float array [n]
        Log-odds without any feature.
    target : float array [n]
        1 for a positive outcome, else 0.

    References
    ----------
    Rasmussen and Williams (2006). Gaussian processes for machine learning, chapter 3. With this prior on the weights,
    the log-odds are a Gaussian process whose covariance counts the features that two examples share.
    """
    whitened = design * scale

    def loss(values: Floats) -> tuple[float, Floats]:
        odds = offset + whitened @ values
        error = np.logaddexp(0.0, odds) - target * odds
        slope = 1 / (1 + np.exp(-np.clip(odds, -500, 500))) - target
        return float(error.sum() + 0.5 * values @ values), whitened.T @ slope + values

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(found.x * scale)
