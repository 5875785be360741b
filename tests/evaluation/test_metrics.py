"""Each metric against its definition, spelt out by brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo import metrics
from anomalo.errors import UsageError

RANKED = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=25).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


@settings(deadline=None, max_examples=30)
@given(rows=RANKED)
def test_roc_auc_is_the_share_of_pairs_in_order(rows: list[tuple[bool, int]]) -> None:
    anomalous = [score for label, score in rows if label]
    normal = [score for label, score in rows if not label]
    pairs = [(s > n) + 0.5 * (s == n) for s in anomalous for n in normal]
    labels, scores = zip(*rows, strict=True)
    assert metrics.roc_auc(labels, scores) == pytest.approx(np.mean(pairs))


@settings(deadline=None, max_examples=30)
@given(rows=RANKED)
def test_average_precision_is_the_mean_precision_at_each_anomaly(rows: list[tuple[bool, int]]) -> None:
    labels, scores = map(np.array, zip(*rows, strict=True))
    precisions = [labels[scores >= score].mean() for score in scores[labels]]
    assert metrics.average_precision(labels, scores) == pytest.approx(np.mean(precisions))


@pytest.mark.parametrize("metric", [metrics.roc_auc, metrics.average_precision])
@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1]])
def test_one_class_cannot_be_ranked(metric: object, labels: list[int]) -> None:
    with pytest.raises(UsageError, match="3 rows of one class"):
        metric(labels, [0.1, 0.2, 0.3])  # type: ignore[operator]


@pytest.mark.parametrize("metric", [metrics.roc_auc, metrics.average_precision])
@pytest.mark.parametrize("absent", [math.nan, math.inf])
def test_what_is_not_finite_cannot_be_ranked(metric: object, absent: float) -> None:
    with pytest.raises(UsageError, match=r"1 of the scores are not finite, expected numbers; leave these rows out"):
        metric([0, 1, 1], [0.1, absent, 0.3])  # type: ignore[operator]
    with pytest.raises(UsageError, match=r"cannot rank 3 rows: 1 of the labels"):
        metric([0, absent, 1], [0.1, 0.2, 0.3])  # type: ignore[operator]


def test_an_error_is_unknown_where_a_cell_is_and_exact_in_single_precision() -> None:
    assert math.isnan(metrics.rmse([1.0, math.nan], [1.0, 2.0]))
    assert metrics.rmse([1.0, math.nan], [3.0, 2.0], [True, False]) == 2.0
    rng = np.random.default_rng(0)
    actual, predicted = (rng.normal(1e4, 1, 1000).astype(np.float32) for _ in range(2))
    squares = [(float(a) - float(b)) ** 2 for a, b in zip(actual, predicted, strict=True)]
    assert metrics.rmse(actual, predicted) == pytest.approx(math.sqrt(math.fsum(squares) / 1000), rel=1e-12)


def test_rmse_and_accuracy_count_the_masked_cells_only() -> None:
    actual, predicted = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 5.0], [7.0, 4.0]])
    cells = np.array([[False, True], [True, False]])
    assert metrics.rmse(actual, predicted, cells) == pytest.approx(math.sqrt((9 + 16) / 2))
    assert metrics.rmse(actual, predicted) == pytest.approx(math.sqrt((9 + 16) / 4))
    assert metrics.accuracy(actual, predicted, cells) == 0.0
    assert metrics.accuracy(actual, predicted) == 0.5
    assert math.isnan(metrics.rmse(actual, predicted, cells & ~cells))
    assert math.isnan(metrics.accuracy(actual, predicted, cells & ~cells))


def test_macro_f1_averages_over_the_codes_that_occur() -> None:
    actual, predicted = np.array([2, 2, 3, 3, 4]), np.array([2, 3, 3, 3, 2])
    scores = []
    for code in (2, 3, 4):
        hits = ((actual == code) & (predicted == code)).sum()
        scores.append(2 * hits / ((actual == code).sum() + (predicted == code).sum()))
    assert metrics.macro_f1(actual, predicted) == pytest.approx(np.mean(scores))


def test_coverage_counts_bounds_as_inside() -> None:
    actual, low, high = np.arange(5.0), np.array([0, 2, 2, 0, 9]), np.array([0, 3, 3, 2, 10])
    assert metrics.interval_coverage(actual, low, high) == pytest.approx(2 / 5)
    assert metrics.interval_coverage(actual, low, high, actual < 2) == pytest.approx(1 / 2)
