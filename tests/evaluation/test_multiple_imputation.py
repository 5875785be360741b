"""Rubin's rules against the book's formulas and a simulation in which the truth is known."""

import numpy as np
import pytest
from scipy import stats

from anomalo import pool
from anomalo.errors import UsageError


def test_it_is_rubins_rules() -> None:
    estimates, variances = np.array([1.2, 0.9, 1.5, 1.1, 1.3]), np.array([0.2, 0.25, 0.22, 0.18, 0.2])
    pooled = pool(estimates, variances)
    between, within = np.var(estimates, ddof=1), variances.mean()
    assert pooled.variance == pytest.approx(within + 1.2 * between)
    assert pooled.degrees == pytest.approx(4 * (1 + within / (1.2 * between)) ** 2)  # Rubin 1987, equation 3.1.6
    low, high = pooled.interval(0.9)
    reach = stats.t(pooled.degrees).ppf(0.95) * np.sqrt(pooled.variance)
    assert (low, high) == pytest.approx((1.2 - reach, 1.2 + reach))
    assert pooled.error == pytest.approx(np.sqrt(pooled.variance))


def test_in_a_small_table_there_are_no_more_degrees_of_freedom_than_rows() -> None:
    pooled = pool([1.0, 1.01, 0.99], [0.5, 0.5, 0.5], degrees=20)
    assert pooled.degrees < 20
    assert pool([1.0, 1.01, 0.99], [0.5, 0.5, 0.5]).degrees > 1000


def test_imputations_that_agree_add_nothing() -> None:
    pooled = pool([2.0, 2.0], [0.5, 0.5])
    assert (pooled.variance, pooled.missing, pooled.degrees) == (0.5, 0.0, np.inf)
    assert pooled.interval(0.95) == pytest.approx(stats.norm(2, np.sqrt(0.5)).interval(0.95))


def test_pooled_intervals_of_a_mean_cover_it() -> None:
    """Proper imputation of a normal sample of which 40 % is missing completely at random."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        seen = rng.normal(size=30)
        means, variances = [], []
        for _ in range(10):
            deviation = np.sqrt(seen.var(ddof=1) * 29 / rng.chisquare(29))
            drawn = rng.normal(rng.normal(seen.mean(), deviation / np.sqrt(30)), deviation, size=20)
            table = np.concatenate([seen, drawn])
            means.append(table.mean())
            variances.append(table.var(ddof=1) / 50)
        low, high = pool(means, variances, degrees=49).interval(0.9)
        covered += low <= 0 <= high
    assert 0.86 < covered / 400 < 0.94


@pytest.mark.parametrize(
    ("estimates", "variances", "text"),
    [
        ([1.0], [1.0], "at least 2"),
        ([1.0, 2.0], [1.0], "expected two of the same length"),
        ([1.0, np.nan], [1.0, 1.0], "must be finite"),
        ([1.0, 2.0], [1.0, -1.0], "not negative"),
    ],
)
def test_what_cannot_be_pooled_is_refused(estimates: list[float], variances: list[float], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        pool(estimates, variances)


def test_a_level_is_a_probability() -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        pool([1.0, 2.0], [1.0, 1.0]).interval(95)
