"""The joint Gaussian of rows with missing values: EM and conditional distributions against brute force."""

import numpy as np
import pytest

from anomalo.models.learners import gaussian
from anomalo.models.learners.gaussian import conditional, expectation_maximisation, inverse

COVARIANCE = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, -0.2], [0.3, -0.2, 1.0]])


def rows(count: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    matrix = rng.multivariate_normal(np.array([1.0, 0.0, -1.0]), COVARIANCE, size=count)
    return matrix, rng.random(matrix.shape) > share


@pytest.mark.parametrize("large", [2, 200])
def test_hidden_cells_have_the_distribution_that_the_joint_one_gives(
    large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaussian, "LARGE", large)
    matrix, seen = rows(40, 0.5)
    precision = inverse(COVARIANCE)
    assert np.allclose(precision @ COVARIANCE, np.eye(3))
    found = {}
    for which, at, mean, covariance in conditional(precision, np.where(seen, matrix, 0) @ precision, ~seen):
        found |= {row: (at[k], mean[k], covariance[k]) for k, row in enumerate(which)}
    assert sorted(found) == np.flatnonzero(~seen.all(axis=1)).tolist()
    for row, (at, mean, covariance) in found.items():
        known = np.flatnonzero(seen[row])
        assert at.tolist() == np.flatnonzero(~seen[row]).tolist()
        slope = COVARIANCE[np.ix_(at, known)] @ np.linalg.inv(COVARIANCE[np.ix_(known, known)])
        assert np.allclose(mean, slope @ matrix[row, known])
        assert np.allclose(covariance, COVARIANCE[np.ix_(at, at)] - slope @ COVARIANCE[np.ix_(known, at)])


def test_em_finds_the_moments_of_complete_rows_at_once_and_of_incomplete_ones_about() -> None:
    matrix, seen = rows(4000, 0.3)
    nothing = np.zeros(3)
    mean, covariance = expectation_maximisation(matrix, np.ones_like(seen), nothing, 1, 0.0)
    assert np.allclose(mean, matrix.mean(axis=0))
    assert np.allclose(covariance, np.cov(matrix.T, bias=True))
    mean, covariance = expectation_maximisation(np.where(seen, matrix, np.nan), seen, nothing, 50, 1e-4)
    assert np.allclose(mean, [1, 0, -1], atol=0.07)
    assert np.allclose(covariance, COVARIANCE, atol=0.07)
