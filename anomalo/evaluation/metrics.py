"""Metrics of anomaly scores, imputed values and intervals, for benchmarks, reports and tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalo.errors import UsageError


def ranked(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Return the labels and scores that scikit-learn ranks, or say why they cannot be ranked."""
    given, values = np.asarray(labels), np.asarray(scores)
    for what, array in (("labels", given), ("scores", values)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            absent = np.count_nonzero(~np.isfinite(array))
            raise UsageError(
                f"cannot rank {array.size} rows: {absent} of the {what} are not finite, expected numbers; "
                "leave these rows out"
            )
    truth = given.astype(bool)
    if truth.all() or not truth.any():
        raise UsageError(
            f"cannot rank {truth.size} rows of one class: expected anomalies and normal rows; give labels of both"
        )
    return truth, values


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
        The labels are all of one class, or a label or score is not finite.

    Examples
    --------
    >>> roc_auc([0, 0, 1], [0.1, 0.2, 0.9])
    1.0
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*ranked(labels, scores)))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the precision at each anomaly found, going down the scores, averaged over the anomalies.

    Parameters and errors are those of `roc_auc`.

    Examples
    --------
    >>> average_precision([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9])
    0.8333333333333333
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*ranked(labels, scores)))


def rmse(actual: ArrayLike, predicted: ArrayLike, cells: ArrayLike | None = None) -> float:
    """Return the root mean squared error over the cells under a mask (all of them by default).

    Returns
    -------
    float
        In the units of the values; not a number if there is no cell, or one of them is not finite.

    Examples
    --------
    >>> rmse([[0.0, 2.0]], [[0.0, 5.0]], [[False, True]])
    3.0
    """
    from sklearn.metrics import root_mean_squared_error

    error = _chosen(np.asarray(actual, dtype=np.float64) - np.asarray(predicted, dtype=np.float64), cells)
    if not error.size or not np.isfinite(error).all():  # which scikit-learn refuses
        return float("nan")
    return float(root_mean_squared_error(error, np.zeros_like(error)))


def accuracy(actual: ArrayLike, predicted: ArrayLike, cells: ArrayLike | None = None) -> float:
    """Return the share of the codes under a mask that are predicted; not a number if there is none.

    Examples
    --------
    >>> accuracy([2, 3, 3, 2], [2, 3, 2, 2])
    0.75
    """
    # sklearn.metrics.accuracy_score looks for the classes first: 20 to 100 times slower, and it refuses missing codes.
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
    chosen = _chosen(values, cells)
    return float(chosen.mean(dtype=np.float64)) if chosen.size else float("nan")


def _chosen(values: NDArray[Any], cells: ArrayLike | None) -> NDArray[Any]:
    """Return the values under a mask, [k]; without one all of them."""
    return values.ravel() if cells is None else values[np.asarray(cells, dtype=bool)].ravel()
