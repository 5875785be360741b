"""Prediction intervals and random draws from the residuals of similar predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

KEPT = 512
"""Pairs of prediction and residual that are kept for each column."""
SMALLEST, SHARE = 40, 0.15
"""An interval is estimated from this share of the pairs, and from at least this many."""
LEVEL = 0.9


def residual_table(predicted: NDArray[Any], truth: NDArray[Any]) -> Floats:
    """Keep at most `KEPT` pairs (prediction, residual), ascending by prediction, float32 [m, 2].

    Parameters
    ----------
    predicted, truth : float [k]
        Of cells that the predictor did not see.
    """
    order = np.argsort(predicted, kind="stable")
    kept = order[
        ((np.arange(min(len(order), KEPT)) + 0.5) * len(order) / max(1, min(len(order), KEPT))).astype(np.intp)
    ]
    predicted = predicted[kept].astype(np.float32)
    return np.stack([predicted, truth[kept].astype(np.float32) - predicted], axis=1)


def _windows(table: Floats) -> tuple[Floats, Floats]:
    """Return the ends between which each window's middle pair is the nearest, and the windows' sorted residuals."""
    size = min(len(table), max(SMALLEST, round(SHARE * len(table))))
    windows = np.lib.stride_tricks.sliding_window_view(table[:, 1], size)
    first = size // 2
    middles = table[first : first + len(windows), 0]
    ends: Floats = (middles[1:] + middles[:-1]) * np.float32(0.5)
    return ends, np.sort(windows, axis=1)


def residual_interval(table: Floats, predicted: Floats) -> tuple[Floats, Floats]:
    """Return the ends of 90 % intervals around predictions [k], each float32 [k]; without residuals, the predictions.

    The m residuals of the nearest predictions are taken for exchangeable with the new one: the ends are those of
    rank (m + 1) / 20 from below and above, between two of them if that is no whole number.

    Reference: Lei et al. (2018), Distribution-free predictive inference for regression, JASA 113 (split conformal);
    the residuals are those of the nearest predictions, not of all.
    """
    if not len(table):
        return predicted, predicted
    ends, residuals = _windows(table)
    tail = (1 - LEVEL) / 2
    quantiles = np.quantile(residuals, [tail, 1 - tail], axis=1, method="weibull").astype(np.float32)
    near = np.searchsorted(ends, predicted)
    low: Floats = predicted + quantiles[0][near]
    high: Floats = predicted + quantiles[1][near]
    return low, high


def residual_draws(table: Floats, predicted: Floats, uniform: NDArray[np.float64]) -> Floats:
    """Draw values for predictions [k]: each with the residual of a prediction near it, float32 [draws, k].

    Parameters
    ----------
    uniform : float64 [draws, k]
        In [0, 1); which of the near residuals to take.

    Reference: Little (1988), Missing-data adjustments in large surveys, Journal of Business and Economic Statistics 6
    (predictive mean matching; here the donor gives its residual, not its value).
    """
    if not len(table):
        return np.broadcast_to(predicted, uniform.shape).astype(np.float32)
    ends, residuals = _windows(table)
    chosen = (uniform * residuals.shape[1]).astype(np.intp)
    drawn: Floats = predicted + residuals[np.searchsorted(ends, predicted), chosen]
    return drawn
