"""Errors of similar predictions: intervals and draws where the scale grows with the prediction."""

import numpy as np

from anomalo.models.residuals import KEPT, residual_draws, residual_interval, residual_table


def uneven(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions, and true values whose deviation grows with the prediction."""
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(0, 2, size=rows).astype(np.float32)
    return predicted, (predicted + predicted * rng.normal(size=rows)).astype(np.float32)


def test_intervals_hold_nine_of_ten_wherever_the_prediction_lies() -> None:
    table = residual_table(*uneven(5000, 0))
    predicted, truth = uneven(20_000, 1)
    low, high = residual_interval(table, predicted)
    inside = (low <= truth) & (truth <= high)
    for start in (0.2, 0.8, 1.4):
        here = (predicted > start) & (predicted < start + 0.6)
        assert 0.84 < inside[here].mean() < 0.96
    assert len(table) == KEPT


def test_draws_vary_as_the_truth_does() -> None:
    table = residual_table(*uneven(5000, 0))
    predicted = np.full(1, 1.5, np.float32)
    drawn = residual_draws(table, predicted, np.random.default_rng(2).random((5000, 1)))
    assert abs(drawn.mean() - 1.5) < 0.35
    assert 1.2 < drawn.std() < 1.8


def test_few_pairs_are_all_used_and_without_any_intervals_are_points() -> None:
    table = residual_table(np.array([1.0, 0.0]), np.array([2.0, 0.5]))
    assert table.tolist() == [[0.0, 0.5], [1.0, 1.0]]
    low, high = residual_interval(table, np.zeros(1, np.float32))
    assert (low[0], high[0]) == (0.5, 1.0)
    nothing = residual_table(np.zeros(0), np.zeros(0))
    predicted = np.array([3.0], np.float32)
    assert residual_interval(nothing, predicted)[0] == predicted
    assert residual_draws(nothing, predicted, np.zeros((2, 1))).tolist() == [[3.0], [3.0]]
