"""Scores of different stretches of time on one scale."""

import numpy as np
import pytest

from anomalo.calibration.regimes import FEWEST, STRETCHES, Regimes

ROWS = STRETCHES * 600


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of one kind of rows, and their times in no order."""
    rng = np.random.default_rng(seed)
    return rng.exponential(size=ROWS), rng.permutation(ROWS).astype(np.float32)


@pytest.mark.parametrize("seed", range(10))
def test_rows_of_one_kind_stay_as_they_are(seed: int) -> None:
    scores, times = drawn(seed)
    found = Regimes.find(scores, times)
    assert not len(found.shifted)
    assert np.array_equal(found.adjusted(scores, times), scores)


def test_a_stretch_with_scores_of_its_own_is_put_on_the_scale_of_the_others() -> None:
    scores, times = drawn()
    last = times >= 0.8 * ROWS
    found = Regimes.find(np.where(last, 5 + 3 * scores, scores), times)
    assert found.shifted.tolist() == [STRETCHES - 1]
    adjusted = found.adjusted(np.where(last, 5 + 3 * scores, scores), times)
    assert np.quantile(adjusted[last], [0.5, 0.9]) == pytest.approx(np.quantile(scores, [0.5, 0.9]), abs=0.25)
    alerts = times[np.argsort(-adjusted)[: ROWS // 50]]
    assert 0.1 < (alerts >= 0.8 * ROWS).mean() < 0.35


def test_the_order_within_a_stretch_never_changes() -> None:
    scores, times = drawn()
    last = times >= 0.8 * ROWS
    mixed = np.where(last, 5 + 3 * scores, scores)
    adjusted = Regimes.find(mixed, times).adjusted(mixed, times)
    assert np.array_equal(np.argsort(adjusted[last]), np.argsort(mixed[last]))


def test_later_rows_are_of_the_last_stretch() -> None:
    scores, times = drawn()
    found = Regimes.find(np.where(times >= 0.8 * ROWS, 5 + 3 * scores, scores), times)
    at_the_end = found.adjusted(np.array([8.0]), np.array([times.max()]))
    assert np.array_equal(found.adjusted(np.array([8.0]), np.array([1e9], dtype=np.float32)), at_the_end)


def test_few_rows_and_rows_without_times_are_of_one_kind() -> None:
    scores, times = drawn()
    few = STRETCHES * FEWEST - 1
    assert not len(Regimes.find(np.where(times > 0.8 * ROWS, 9 + scores, scores), None).ends)
    assert not len(Regimes.find(scores[:few] + (times[:few] > 0.8 * ROWS) * 9, times[:few]).ends)
    assert not len(Regimes.find(np.ones(ROWS), times).ends)
