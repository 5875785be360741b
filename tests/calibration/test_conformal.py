"""p-values are counts, uniform for rows like the training rows; thresholds fire when they should, or say why not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.thresholds import Threshold, most_anomalous
from anomalo.errors import UsageError

few_values = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0])


def hashes(count: int, first: int = 0) -> Any:
    """Different hashes in no order."""
    return (np.arange(first, first + count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)


@settings(deadline=None, max_examples=50)
@given(training=st.lists(few_values, min_size=1, max_size=12), new=st.lists(few_values, max_size=6))
def test_p_values_of_new_rows_are_counted(training: list[float], new: list[float]) -> None:
    calibration = Calibration.from_scores(np.array(training), hashes(len(training)))
    found = calibration.p_values(np.array(new), hashes(len(new), first=1000))
    counted = [(sum(other >= score for other in training) + 1) / (len(training) + 1) for score in new]
    np.testing.assert_allclose(found, counted, rtol=1e-12)


@settings(deadline=None, max_examples=50)
@given(training=st.lists(few_values, min_size=1, max_size=12), seed=st.integers(0, 99))
def test_training_rows_have_the_p_value_of_their_out_of_fold_score(training: list[float], seed: int) -> None:
    known = hashes(len(training))
    calibration = Calibration.from_scores(np.array(training), known)
    order = np.random.default_rng(seed).permutation(len(training))
    whatever = np.random.default_rng(seed).normal(size=len(training))
    found = calibration.p_values(whatever, known[order])
    counted = [sum(other >= training[row] for other in training) / len(training) for row in order]
    np.testing.assert_allclose(found, counted, rtol=1e-12)
    assert (found > 0).all()


def test_equal_training_rows_count_each_and_share_their_score() -> None:
    same = np.array([7, 7, 7, 8], dtype=np.uint64)
    calibration = Calibration.from_scores(np.array([2.0, 2.0, 2.0, 1.0]), same)
    assert len(calibration.reference) == 4
    np.testing.assert_allclose(calibration.p_values(np.zeros(2), same[2:]), [3 / 4, 1.0])


def test_p_values_of_rows_like_the_training_rows_are_uniform() -> None:
    found = []
    for seed in range(400):
        scores = np.random.default_rng(seed).gamma(2.0, size=100)
        calibration = Calibration.from_scores(scores[:99], hashes(99))
        found.append(calibration.p_values(scores[99:], hashes(1, first=99))[0])
    # They are multiples of 1/100; a uniform number below each makes them continuous.
    smooth = np.array(found) - np.random.default_rng(0).random(400) / 100
    assert stats.kstest(smooth, "uniform").pvalue > 0.01
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(found) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 400)


def test_more_anomalous_rows_have_smaller_p_values() -> None:
    rng = np.random.default_rng(0)
    calibration = Calibration.from_scores(rng.normal(size=500), hashes(500))
    scores = np.sort(rng.normal(size=200))
    assert (np.diff(calibration.p_values(scores, hashes(200, first=500))) <= 0).all()
    assert calibration.p_values(np.array([1e9]), hashes(1, first=500)) == 1 / 501


def test_without_training_rows_nothing_is_anomalous() -> None:
    np.testing.assert_array_equal(Calibration.empty().p_values(np.array([1.0, 1e9]), hashes(2)), [1.0, 1.0])


def test_the_surprisal_scale_is_the_scale_of_an_exponential_tail() -> None:
    scores = np.random.default_rng(0).exponential(scale=2.5, size=50_000)
    assert Calibration.from_scores(scores, hashes(50_000)).surprisal_scale == pytest.approx(2.5, rel=0.05)
    assert Calibration.from_scores(np.full(5, 3.0), hashes(5)).surprisal_scale == 1.0


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("share=0.01", "share", 0.01),
        ("share=0.012345678", "share", 0.012345678),
        ("fdr=5e-2", "fdr", 0.05),
        ("budget=100", "budget", 100),
        ("budget=1234567", "budget", 1234567),
    ],
)
def test_a_threshold_is_read_and_written(text: str, kind: str, value: float) -> None:
    threshold = Threshold.parse(text)
    assert (threshold.kind, threshold.value) == (kind, value)
    assert Threshold.parse(str(threshold)) == threshold
    assert str(Threshold.parse("budget=20")) == "budget=20"


@pytest.mark.parametrize(
    "text",
    ["", "0.01", "share", "share=", "share=0", "share=1", "share=-0.1", "share=nan", "share=inf", "fdr=5%", "fdr=2"]
    + ["budget=0", "budget=1.5", "budget=-3", "budget=nan", "budget=inf", "top=5", "Share=0.1", "share=0.1=0.2"],
)
def test_other_thresholds_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected share=S or fdr=Q with a value between 0 and 1, or budget=N"):
        Threshold.parse(text)


def benjamini_hochberg(p_values: list[float], level: float) -> list[bool]:
    """The step-up procedure as in the paper: the largest k with p_(k) <= k q / n."""
    ordered = sorted(p_values)
    cut = -1.0
    for k, p in enumerate(ordered, start=1):
        if p <= k * level / len(ordered) + 1e-12:
            cut = p
    return [p <= cut for p in p_values]


@settings(deadline=None, max_examples=60)
@given(ranks=st.lists(st.integers(1, 40), max_size=15), level=st.sampled_from([0.05, 0.1, 0.3]))
def test_the_false_discovery_rate_is_controlled_by_benjamini_and_hochberg(ranks: list[int], level: float) -> None:
    p_values = np.array(ranks, dtype=np.float64) / 41
    alerts = Threshold("fdr", level).alerts(p_values, np.zeros(len(ranks)))
    assert alerts.tolist() == benjamini_hochberg(p_values.tolist(), level)


def test_a_share_takes_rows_up_to_its_p_value() -> None:
    p_values = np.array([0.004, 0.01, 0.011, 1.0])
    assert Threshold.parse("share=0.01").alerts(p_values, np.zeros(4)).tolist() == [True, True, False, False]


def test_a_budget_takes_the_most_anomalous_rows_and_never_more() -> None:
    p_values, scores = np.array([0.5, 0.1, 0.1, 0.1, 0.9]), np.array([9.0, 1.0, 2.0, 2.0, 9.5])
    assert most_anomalous(p_values, scores).tolist() == [2, 3, 1, 0, 4]
    chosen = [np.flatnonzero(Threshold("budget", size).alerts(p_values, scores)).tolist() for size in range(1, 7)]
    assert chosen == [[2], [2, 3], [1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize("text", ["share=0.5", "fdr=0.5", "budget=3"])
def test_no_rows_have_no_alerts(text: str) -> None:
    alerts = Threshold.parse(text).alerts(np.zeros(0), np.zeros(0))
    assert alerts.shape == (0,)
    assert alerts.dtype == bool


def can_fire(threshold: Threshold, rows: int, reference: int, together: int) -> bool:
    """Return whether a threshold fires when this many rows are as anomalous as possible, and the others typical."""
    p_values = np.ones(rows)
    p_values[:together] = 1 / (reference + 1)
    return bool(threshold.alerts(p_values, np.zeros(rows)).any())


@settings(deadline=None, max_examples=150)
@example(kind="fdr", percent=40, rows=58, reference=4)  # 58 / 5 / 29 is 0.4 but for rounding
@given(
    kind=st.sampled_from(["share", "fdr"]),
    percent=st.integers(1, 40),
    rows=st.integers(1, 60),
    reference=st.integers(1, 300),
)
def test_it_is_said_exactly_if_a_threshold_cannot_fire_on_one_row(
    kind: Any, percent: int, rows: int, reference: int
) -> None:
    threshold = Threshold(kind, percent / 100)
    message = threshold.limits(rows, reference)
    fires = [can_fire(threshold, rows, reference, together) for together in range(1, rows + 1)]
    assert (message is None) == fires[0]
    if message is not None:
        assert ("can never fire" in message) == (not any(fires))
        if any(fires):
            assert f"only if {fires.index(True) + 1} or more rows" in message


@pytest.mark.parametrize("share", [0.5, 0.07, 0.05, 0.03, 0.01, 1 / 3])
def test_the_number_of_training_rows_that_a_share_needs_is_right(share: float) -> None:
    message = Threshold("share", share).limits(10, 0)
    assert message is not None
    needed = int(message.split("needs ")[1].split()[0])
    assert Threshold("share", share).limits(10, needed) is None
    assert Threshold("share", share).limits(10, needed - 1) is not None


def test_a_budget_always_fires() -> None:
    assert Threshold("budget", 5).limits(1, 0) is None


def test_the_scale_of_broken_rules_is_that_of_an_exponential_tail_or_more() -> None:
    rng = np.random.default_rng(0)
    light = Calibration.from_scores(rng.exponential(2.5, 5000), hashes(5000))
    assert light.surprisal_scale <= light.rule_scale <= 1.3 * light.surprisal_scale
    heavy = rng.pareto(2, 5000)
    found = Calibration.from_scores(heavy, hashes(5000))
    above = np.median(heavy) + found.rule_scale * np.log(5000 / np.arange(3, 501))
    assert (np.sort(heavy)[::-1][2:500] <= above + 1e-9).all()
    for gross in (300.0, 1e6, 1e19):
        some = Calibration.from_scores(np.append(heavy, gross), hashes(5001))
        assert found.rule_scale < some.rule_scale < 2.1 * found.rule_scale


def test_broken_rules_count_in_the_reference_as_in_new_rows() -> None:
    scores, broken = np.random.default_rng(1).exponential(1.0, 1000), np.zeros(1000)
    broken[[3, 700]] = np.log(2 * 999)
    found = Calibration.from_scores(scores, hashes(1000), None, 0.0, broken)
    raised = scores + broken * found.rule_scale
    np.testing.assert_allclose(found.reference, np.sort(raised))
    assert set(np.argsort(-raised)[:2]) == {3, 700}
