"""Surprisals: the negative log of tail probabilities, within the training scores and beyond them."""

import numpy as np
import pytest
from scipy import stats

from anomalo_auto.tail_probability import fit_tail, surprisal


@pytest.mark.parametrize(
    ("law", "shape"),
    [(stats.expon(), 0.0), (stats.genpareto(0.4), 0.4), (stats.norm(), 0.0)],
    ids=["exponential", "Pareto", "normal"],
)
def test_a_surprisal_is_the_negative_log_of_the_tail_probability(law: stats.rv_continuous, shape: float) -> None:
    summary = fit_tail(law.rvs(size=100_000, random_state=1))
    at = law.ppf([0.2, 0.7, 0.95, 0.99])
    assert np.allclose(surprisal(at, summary), -law.logsf(at), rtol=0.05, atol=0.02)
    assert summary[-1] == pytest.approx(shape, abs=0.05)


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
