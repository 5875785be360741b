"""Whitening does no harm where columns depend on each other."""

import numpy as np

from anomalo.nn.whitening import SMALLEST_EIGENVALUE, whitening


def test_directions_without_variance_are_not_blown_up() -> None:
    column = np.random.default_rng(0).normal(size=(200_000, 1)).astype(np.float32)
    matrix = whitening(np.hstack([column, column]))
    across = np.array([1, -1]) / np.sqrt(2)  # the two are equal, so that nothing varies in this direction
    gain = np.linalg.norm(across @ matrix)
    assert 10 < gain <= 1.01 / np.sqrt(SMALLEST_EIGENVALUE)


def test_independent_columns_get_unit_covariance() -> None:
    rows = np.random.default_rng(1).normal(size=(50_000, 3)).astype(np.float32) * np.float32([0.5, 1, 2])
    whitened = rows @ whitening(rows)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(3), atol=0.02)
