"""Patterns: which rows they accept, and what they make of scores and p-values."""

import numpy as np
import pytest

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.results import Scored
from anomalo.feedback.conditions import Condition
from anomalo.feedback.patterns import MOST, NONE, Feedback, Pattern
from anomalo.tabular.columns import Columns

HOT, WARM = (Condition("heat", low=low, high=100.0) for low in (50.0, 20.0))


@pytest.fixture
def calibration() -> Calibration:
    """Nine training rows of scores 1 to 9."""
    return Calibration(np.arange(1.0, 10.0), np.zeros(0, dtype=np.uint64), np.zeros(0), 1.0)


def heat(*values: float) -> Columns:
    return Columns(len(values), {"heat": np.array(values)})


def test_accepted_rows_have_the_median_score_and_no_p_value_becomes_smaller(calibration: Calibration) -> None:
    feedback = Feedback.of([Pattern("false alarm", (HOT,), 3, 20.0)])
    rows = heat(60.0, 60.0, 10.0, 60.0, 60.0)
    score = np.array([20.0, 20.5, 20.0, 5.0, 2.0])
    before = Scored(score, calibration.as_new(score), np.zeros(5, dtype=np.bool_))
    after = feedback.applied(before, feedback.match(rows), calibration)
    # The first is accepted; the second has a larger score, the third fits not, the others are typical anyway.
    assert after.score.tolist() == [5.0, 20.5, 20.0, 5.0, 2.0]
    assert after.p_value.tolist() == pytest.approx([0.6, 0.1, 0.1, 0.6, 0.9])
    assert (after.p_value >= before.p_value).all()
    assert after.accepted is not None
    assert after.accepted.pattern.tolist() == [0, NONE, NONE, NONE, NONE]
    assert after.accepted.score.tolist() == score.tolist()


def test_larger_scores_have_no_larger_p_values(calibration: Calibration) -> None:
    feedback = Feedback.of([Pattern("expected", (HOT,), 3), Pattern("false alarm", (WARM,), 3, 8.5)])
    rng = np.random.default_rng(0)
    values, score = rng.uniform(0, 100, 200), rng.uniform(0, 12, 200)
    scored = Scored(score, calibration.as_new(score), np.zeros(200, dtype=np.bool_))
    found = feedback.applied(scored, feedback.match(heat(*values)), calibration)
    order = np.argsort(found.score, kind="stable")
    assert (np.diff(found.p_value[order]) <= 0).all()
    assert (found.score[values >= 50] <= 5.0).all(), "expected rows are accepted whatever their scores"


def test_a_row_is_of_the_pattern_with_the_largest_limit() -> None:
    feedback = Feedback.of([Pattern("false alarm", (WARM,), 9, 3.0), Pattern("expected", (HOT,), 1)])
    assert [pattern.kind for pattern in feedback.patterns] == ["expected", "false alarm"]
    assert feedback.match(heat(60.0, 30.0, 10.0, float("nan"))).tolist() == [0, 1, NONE, NONE]


def test_a_row_matches_alone_as_in_a_batch() -> None:
    feedback = Feedback.of([Pattern("false alarm", (WARM,), 9, 3.0), Pattern("expected", (HOT,), 1)])
    values = np.random.default_rng(1).uniform(0, 110, 100)
    together = feedback.match(heat(*values))
    assert [int(feedback.match(heat(value))[0]) for value in values] == together.tolist()


def test_equal_patterns_are_kept_once_and_not_more_than_there_may_be() -> None:
    twice = Feedback.of([Pattern("false alarm", (HOT,), 3, 4.0), Pattern("false alarm", (HOT,), 5, 7.0)])
    assert [(pattern.rows, pattern.limit) for pattern in twice.patterns] == [(5, 7.0)]
    many = [Pattern("false alarm", (Condition("heat", low=at, high=at),), at, 1.0) for at in range(MOST + 5)]
    assert min(pattern.rows for pattern in Feedback.of(many).patterns) == 5, "those of the most rows"


def test_feedback_survives_json() -> None:
    feedback = Feedback.of([Pattern("false alarm", (WARM, HOT), 9, 3.0), Pattern("expected", (HOT,), 1)])
    again = Feedback.from_json(feedback.to_json())
    assert again.limits.tolist() == feedback.limits.tolist()
    assert list(map(str, again.patterns)) == list(map(str, feedback.patterns))


def test_without_calibration_nothing_is_accepted() -> None:
    scored = Scored(np.array([5.0]), np.ones(1), np.zeros(1, dtype=np.bool_))
    found = Feedback.of([Pattern("expected", (HOT,), 1)]).applied(scored, np.zeros(1, np.int32), Calibration.empty())
    assert found is scored
