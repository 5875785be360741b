"""Surprisals: the negative log of tail probabilities, within the training scores and beyond them."""

import numpy as np
import pytest
from scipy import stats

from anomalo_auto.tail_probability import LEAST, fit_tail, surprisal

LAWS = pytest.mark.parametrize("law", [stats.expon(), stats.genpareto(0.4), stats.norm(), stats.gamma(2)])


@LAWS
def test_a_surprisal_is_the_negative_log_of_the_tail_probability(law: stats.rv_continuous) -> None:
    summary = fit_tail(law.rvs(size=100_000, random_state=1))
    at = law.ppf([0.2, 0.5, 0.7, 0.84])
    assert np.allclose(surprisal(at, summary), -law.logsf(at), rtol=0.02, atol=0.01)


@LAWS
def test_beyond_the_85th_percentile_the_tail_is_exponential_by_the_rows_before_it(law: stats.rv_continuous) -> None:
    low, high = law.ppf([0.7, 0.85])
    slope = np.log(0.3 / 0.15) / (high - low)
    far = high + np.array([1.0, 10.0])
    summary = fit_tail(law.rvs(size=100_000, random_state=1))
    assert np.allclose(surprisal(far, summary), -np.log(0.15) + slope * (far - high), rtol=0.03)
    exact = stats.expon()
    beyond = exact.ppf([0.95, 0.999])
    summary = fit_tail(exact.ppf(np.linspace(0, 0.9999, 20_001)))
    assert np.allclose(surprisal(beyond, summary), -exact.logsf(beyond), rtol=0.01)


def test_the_highest_training_scores_do_not_hide_one_another() -> None:
    scores = np.random.default_rng(0).exponential(size=1000)
    inflated = np.where(scores > np.quantile(scores, 0.9), scores + 10, scores)
    assert np.allclose(surprisal(scores, fit_tail(scores)), surprisal(scores, fit_tail(inflated)))


def test_where_most_scores_are_equal_the_tail_is_not_steeper_than_its_excesses_allow() -> None:
    scores = np.repeat([0.0, 5.0], [90, 10])
    found = surprisal(scores, fit_tail(scores))
    assert found[-1] - found[0] == pytest.approx(1 / LEAST)


def test_a_surprisal_rises_with_the_score_also_beyond_the_training_scores() -> None:
    scores = np.random.default_rng(0).gamma(2, size=300)
    found = surprisal(np.linspace(-1, 1e3, 5000), fit_tail(scores))
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0
    assert found[-1] > surprisal(scores, fit_tail(scores)).max()


@pytest.mark.parametrize("scores", [np.zeros(50), np.array([1.0]), np.array([1.0, 2.0]), np.repeat([0.0, 1e-9], 30)])
def test_surprisals_are_finite_whatever_the_training_scores(scores: np.ndarray) -> None:
    found = surprisal(np.array([-1e9, 0, 1, 1e9]), fit_tail(scores))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
