"""The weights are the likeliest ones under their priors."""

import numpy as np

from anomalo.cleaning.learning.logistic import logistic

RANDOM = np.random.default_rng(0)
DESIGN = RANDOM.normal(size=(200, 3))
TARGET = (RANDOM.random(200) < 1 / (1 + np.exp(-DESIGN @ [2.0, 0.0, -1.0] + 1.0))).astype(float)


def test_the_slope_is_zero_at_the_weights() -> None:
    scale, offset = np.array([1.0, 0.5, 3.0]), np.full(200, -1.0)
    weights = logistic(DESIGN, scale, offset, TARGET)
    slope = DESIGN.T @ (1 / (1 + np.exp(-(offset + DESIGN @ weights))) - TARGET) + weights / scale**2
    np.testing.assert_allclose(slope, 0.0, atol=1e-2)
    assert weights[0] > 1.0


def test_a_narrow_prior_keeps_a_weight_at_zero() -> None:
    weights = logistic(DESIGN, np.array([1e-6, 1.0, 1.0]), np.zeros(200), TARGET)
    assert abs(weights[0]) < 1e-6


def test_without_examples_all_weights_are_zero() -> None:
    weights = logistic(np.zeros((0, 3)), np.ones(3), np.zeros(0), np.zeros(0))
    assert weights.tolist() == [0.0, 0.0, 0.0]
