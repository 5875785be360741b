"""Metrics of anomaly scores, imputed values and intervals, for benchmarks, reports and tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalo.errors import UsageError


def _labels(labels: ArrayLike) -> NDArray[np.bool_]:
    truth = np.asarray(labels).astype(bool)
    if truth.all() or not truth.any():
        raise UsageError(
            f"cannot rank {truth.size} rows of one class: expected anomalies and normal rows; give labels of both"
        )
    return truth


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the chance that an anomaly scores above a normal row (ties count half).

    Parameters
    ----------
    labels : bool or 0/1 [n]
        True for anomalies.
    scores : float [n]
        Anomaly scores; higher is more anomalous.

    Raises
    ------
    UsageError
        The labels are all of one class.

    Examples
    --------
    >>> roc_auc([0, 0, 1], [0.1, 0.2, 0.9])
    1.0
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(_labels(labels), np.asarray(scores)))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the precision at each anomaly found, going down the scores, averaged over the anomalies.

    Parameters and errors are those of `roc_auc`.

    Examples
    --------
    >>> average_precision([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9])
    0.8333333333333333
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(_labels(labels), np.asarray(scores)))


def rmse(actual: ArrayLike, predicted: ArrayLike, cells: ArrayLike | None = None) -> float:
    """Return the root mean squared error over the cells under a mask (all of them by default).

    Returns
    -------
    float
        In the units of the values; not a number if there is no cell.

    Examples
    --------
    >>> rmse([[0.0, 2.0]], [[0.0, 5.0]], [[False, True]])
    3.0
    """
    error = np.asarray(actual, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)
    return math.sqrt(_mean(np.square(error), cells))


def accuracy(actual: ArrayLike, predicted: ArrayLike, cells: ArrayLike | None = None) -> float:
    """Return the share of the codes under a mask that are predicted; not a number if there is none.

    Examples
    --------
    >>> accuracy([2, 3, 3, 2], [2, 3, 2, 2])
    0.75
    """
    return _mean(np.asarray(actual) == np.asarray(predicted), cells)


def macro_f1(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Return the F1 score of each code that occurs in either array, averaged with equal weights.

    Parameters
    ----------
    actual, predicted : codes [n]
        Of one column's cells.

    Examples
    --------
    >>> round(macro_f1([2, 2, 2, 3], [2, 2, 2, 2]), 3)
    0.429
    """
    from sklearn.metrics import f1_score

    return float(f1_score(np.asarray(actual), np.asarray(predicted), average="macro", zero_division=0.0))


def interval_coverage(actual: ArrayLike, low: ArrayLike, high: ArrayLike, cells: ArrayLike | None = None) -> float:
    """Return the share of values within their intervals, bounds included; not a number if there is none.

    Examples
    --------
    >>> interval_coverage([1.0, 2.0], [0.0, 3.0], [1.0, 4.0])
    0.5
    """
    values = np.asarray(actual)
    return _mean((np.asarray(low) <= values) & (values <= np.asarray(high)), cells)


def _mean(values: NDArray[Any], cells: ArrayLike | None) -> float:
    chosen = values if cells is None else values[np.asarray(cells, dtype=bool)]
    return float(chosen.mean(dtype=np.float64)) if chosen.size else float("nan")
