"""Metrics of imputed values: error, agreement, coverage and CRPS, all on the hidden cells alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from masked_tables import MaskedTable, is_number
from numpy.typing import NDArray

from anomalo.metrics import accuracy, interval_coverage, macro_f1, rmse

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Uncertainty:
    """Intervals and draws that a method gives of the numbers that it imputes, in the columns' units.

    Attributes
    ----------
    low, high : float64 [n, columns] or None
        The ends of 90 % intervals; NaN for categories.
    draws : float64 [K, n, columns] or None
        Multiple imputations of numbers; NaN for categories.
    """

    low: Numbers | None = None
    high: Numbers | None = None
    draws: Numbers | None = None


def point_metrics(masked: MaskedTable, filled: pd.DataFrame, scale: pd.Series) -> dict[str, float]:
    """Evaluate the imputed values of a part of a sample.

    Parameters
    ----------
    masked : MaskedTable
        The part; its cells are the truth.
    filled : DataFrame [n, columns]
        Its rows, filled, unrounded.
    scale : Series
        The standard deviation of each number in the whole sample.

    Returns
    -------
    dict
        `rmse` of standardised numbers, over all their hidden cells; `accuracy` and `f1` (macro) of each category's
        hidden cells, averaged over the categories. Not a number where nothing is hidden.
    """
    error = standardised_error(masked, filled, scale)
    agreed, f1 = [], []
    for name, hidden in _hidden_categories(masked):
        truth, imputed = masked.complete[name].to_numpy()[hidden], filled[name].to_numpy()[hidden]
        codes = pd.factorize(np.concatenate([truth, imputed]))[0]
        agreed.append(accuracy(codes[: len(truth)], codes[len(truth) :]))
        f1.append(macro_f1(codes[: len(truth)], codes[len(truth) :]))
    found = rmse(error, np.zeros_like(error), ~np.isnan(error))
    return {"rmse": found, "accuracy": _mean(agreed), "f1": _mean(f1)}


def column_errors(masked: MaskedTable, filled: pd.DataFrame, scale: pd.Series) -> dict[str, float]:
    """Return the RMSE of each standardised number, and the share of wrong values of each category, by column."""
    error = standardised_error(masked, filled, scale)
    found = {
        name: rmse(error[:, at], np.zeros(len(error)), ~np.isnan(error[:, at]))
        for at, name in enumerate(masked.complete.columns)
        if not np.isnan(error[:, at]).all()
    }
    for name, hidden in _hidden_categories(masked):
        found[name] = 1 - accuracy(masked.complete[name].to_numpy()[hidden], filled[name].to_numpy()[hidden])
    return found


def expected_ratio(reported: dict[str, float], found: dict[str, float], scale: pd.Series) -> float:
    """Return the median over columns of the error that a method reported over the one found.

    Parameters
    ----------
    reported : dict of str to float
        RMSE of numbers in the columns' units, share of wrong values of categories.
    found : dict of str to float
        As `column_errors` returns it; columns without an error are left out.
    """
    names = [name for name in reported.keys() & found.keys() if found[name]]
    ratios = [reported[name] / scale.get(name, 1.0) / found[name] for name in names]
    return float(np.median(ratios)) if ratios else float("nan")


def standardised_error(masked: MaskedTable, filled: pd.DataFrame, scale: pd.Series) -> Numbers:
    """Return imputed less true values in standard deviations, float64 [n, columns]; NaN if seen or a category."""
    error = np.full(masked.hidden.shape, np.nan)
    for at, (name, truth) in enumerate(masked.complete.items()):
        if is_number(truth):
            error[:, at] = (filled[name].to_numpy(np.float64) - truth) / scale[name]
    return np.where(masked.hidden, error, np.nan)


def scales(complete: pd.DataFrame) -> pd.Series:
    """Return the standard deviation of each number of a complete sample; 1 for one that does not vary."""
    found = complete.select_dtypes("float").std(ddof=0)
    return found.where(found > 0, 1.0)


def uncertainty_metrics(masked: MaskedTable, uncertainty: Uncertainty, scale: pd.Series) -> dict[str, float]:
    """Evaluate intervals and draws: `coverage` and mean `width` of intervals, `crps`; widths and CRPS standardised."""
    names = list(scale.index)
    positions = masked.complete.columns.get_indexer(names)
    truth, cells = masked.complete[names].to_numpy(), masked.hidden[:, positions]
    found = {}
    if uncertainty.low is not None and uncertainty.high is not None:
        low, high = uncertainty.low[:, positions], uncertainty.high[:, positions]
        found["coverage"] = interval_coverage(truth, low, high, cells)
        found["width"] = _mean(((high - low) / scale.to_numpy())[cells])
    if uncertainty.draws is not None:
        found["crps"] = _mean((crps(uncertainty.draws[:, :, positions], truth) / scale.to_numpy())[cells])
    return found


def crps(draws: Numbers, truth: Numbers) -> Numbers:
    """Return the continuous ranked probability score of K >= 2 draws [K, ...] of each number [...]; 0 is best.

    mean |draw - truth| - mean |draw - other draw| / 2, the second mean over the K (K - 1) pairs of different draws,
    so that its expectation does not depend on K.

    Reference: Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA 102,
    equation 21; Ferro (2014), Fair scores for ensemble forecasts, QJRMS 140 (the fair version).

    Examples
    --------
    >>> crps(np.array([0.0, 2.0]), np.array(1.0)).item()
    0.0
    """
    count = len(draws)
    ranked = np.sort(draws, axis=0)
    # The sum over ordered pairs of |a - b| is 2 sum_i (2 i - K + 1) a_(i), i from 0.
    weights = (2.0 * np.arange(count) - count + 1.0).reshape(-1, *[1] * truth.ndim)
    between = 2.0 * (weights * ranked).sum(axis=0) / (count * (count - 1))
    return np.asarray(np.abs(draws - truth).mean(axis=0) - between / 2.0)


def _hidden_categories(masked: MaskedTable) -> list[tuple[str, NDArray[np.bool_]]]:
    columns = enumerate(masked.complete.items())
    found = [(str(name), masked.hidden[:, at]) for at, (name, column) in columns if not is_number(column)]
    return [(name, hidden) for name, hidden in found if hidden.any()]


def _mean(values: object) -> float:
    found = np.asarray(values, dtype=np.float64)
    return float(found.mean()) if found.size else float("nan")
