"""The expected number of alerts: against scipy's distribution, and against conformal p-values of simulated rows."""

import doctest

import numpy as np
import pytest
from scipy.stats import betabinom

from anomalo.calibration import expected_alerts as module
from anomalo.calibration.conformal import Calibration
from anomalo.calibration.expected_alerts import expected_alerts


@pytest.mark.parametrize("rows", [1, 37, 1000, 20_000])
@pytest.mark.parametrize(("share", "reference"), [(0.01, 200), (0.01, 5000), (0.25, 30), (0.5, 1), (0.07, 99)])
def test_it_is_the_beta_binomial_interval(rows: int, share: float, reference: int) -> None:
    above = {(0.01, 200): 2, (0.01, 5000): 50, (0.25, 30): 7, (0.5, 1): 1, (0.07, 99): 7}[share, reference]
    oracle = betabinom(rows, above, reference + 1 - above)
    low, high = expected_alerts(rows, share, reference)
    assert low == pytest.approx(oracle.ppf(0.025), abs=1 + rows / 4000)
    assert high == pytest.approx(oracle.ppf(0.975), abs=1 + rows / 4000)


def test_new_rows_are_within_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    low, high = expected_alerts(400, 0.05, 300)
    within = []
    for _ in range(800):
        made = Calibration.from_scores(rng.normal(size=300), np.arange(300, dtype=np.uint64))
        p_values = made.p_values(rng.normal(size=400), np.arange(1000, 1400, dtype=np.uint64))
        within.append(low <= (p_values <= 0.05).sum() <= high)
    assert 0.93 < np.mean(within) < 0.99


def test_of_many_rows_it_takes_no_more_work() -> None:
    low, high = expected_alerts(10**9, 0.01, 10**6)
    assert (low / 1e9, high / 1e9) == pytest.approx((0.01 - 1.96e-4, 0.01 + 1.96e-4), abs=1e-5)
    assert expected_alerts(10**9, 0.01, 150) > (10**5, 10**7)


def test_nothing_is_expected_of_no_rows_and_of_a_threshold_that_cannot_fire() -> None:
    assert expected_alerts(0, 0.01, 1000) == (0, 0)
    assert expected_alerts(10**6, 0.01, 98) == (0, 0)


def test_examples_in_the_docstrings() -> None:
    assert doctest.testmod(module).failed == 0
