"""Tests of single columns: the values, levels and missing cells of two samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from anomalo.evaluation.comparison.aligned import Aligned, AlignedColumn
from anomalo.evaluation.comparison.profile import Values
from anomalo.tabular.parsing import Mask

EXPECTED = 5
"""The least expected number of cells of a level that is tested by itself."""
EXACT = 200
"""Up to so many values the distribution of Smirnov's statistic is computed exactly."""


@dataclass(frozen=True)
class ColumnTest:
    """The tests of one column.

    Attributes
    ----------
    log_p : float
        The logarithm of the p-value, that of the smaller of two tests doubled.
    distance : float
        The largest difference of the distribution functions, or for levels the total variation distance; 0 where values
        are not compared.
    missing : tuple of two float
        The share of cells that are missing or unreadable, in the reference and now, of all rows.
    by_missing : bool
        Whether the missing cells differ more than the values.
    """

    log_p: float
    distance: float
    missing: tuple[float, float]
    by_missing: bool


def column_tests(data: Aligned) -> list[ColumnTest]:
    """Return the tests of each column.

    Numbers are compared by the test of Kolmogorov and Smirnov, levels by the chi-squared test of homogeneity, missing
    cells by Fisher's exact test.

    References: Hodges (1958), The significance probability of the Smirnov two-sample test, Arkiv för Matematik 3;
    Agresti (2013), Categorical Data Analysis, section 3.
    """
    return [_test(column, data.values[:, at], data.now, data.rows) for at, column in enumerate(data.columns)]


def _test(column: AlignedColumn, values: Values, now: Mask, rows: tuple[int, int]) -> ColumnTest:
    absent = np.isnan(values)
    log_missing, log_values, distance = _log_fisher(absent, now), 0.0, 0.0
    first, second = values[~absent & ~now], values[~absent & now]
    if not column.left_out and len(first) and len(second):
        log_values, distance = log_chi_squared(first, second) if column.levels else log_smirnov(first, second)
    sides = zip((column.before, column.after), rows, strict=True)
    shares = [(side.missing + side.unreadable) / max(number, 1) for side, number in sides]
    log_p = min(0.0, math.log(2) + min(log_missing, log_values))
    return ColumnTest(log_p, distance, (shares[0], shares[1]), log_missing < log_values)


def log_smirnov(first: Values, second: Values) -> tuple[float, float]:
    """Return the logarithm of the p-value of two samples without nan, and the largest difference of their shares."""
    small = max(len(first), len(second)) <= EXACT
    found = stats.ks_2samp(first, second, method="exact") if small else stats.ks_2samp(first, second, method="asymp")
    size = len(first) * len(second) / (len(first) + len(second))
    distance, p_value = float(found.statistic), float(found.pvalue)
    # Where the p-value is below all floating-point numbers, the first term of Kolmogorov's series is exact enough.
    return (math.log(p_value) if p_value > 0 else math.log(2) - 2 * size * distance**2), distance


def log_chi_squared(first: Values, second: Values) -> tuple[float, float]:
    """Return the logarithm of the p-value of two samples of codes, and their total variation distance.

    Rare levels are counted together, as Pearson's approximation asks for.
    """
    width = int(max(first.max(), second.max())) + 1
    table = np.stack([np.bincount(side.astype(np.intp), minlength=width) for side in (first, second)])
    shares = table / table.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < EXPECTED
    tested = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    tested = tested[:, tested.sum(axis=0) * table.sum(axis=1).min() / table.sum() >= EXPECTED]
    if tested.shape[1] < 2:
        return 0.0, distance
    found = stats.chi2_contingency(tested, correction=False)
    return float(stats.chi2.logsf(found.statistic, found.dof)), distance


def _log_fisher(absent: Mask, now: Mask) -> float:
    """Return the logarithm of the p-value of Fisher's exact test of missing cells, the smaller tail doubled."""
    total, missing, size = len(now), int(absent.sum()), int(now.sum())
    if missing in (0, total) or size in (0, total):
        return 0.0
    mine = int((absent & now).sum())
    tails = stats.hypergeom.logcdf(mine, total, missing, size), stats.hypergeom.logsf(mine - 1, total, missing, size)
    return min(0.0, math.log(2) + float(min(tails)))
