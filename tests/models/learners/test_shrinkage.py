"""The shrunk covariance is scikit-learn's."""

import numpy as np
import pytest
from sklearn import covariance

from anomalo.models.learners.shrinkage import ledoit_wolf


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(("rows", "columns"), [(2, 1), (3, 7), (40, 5), (25, 60), (500, 12), (7, 1500)])
def test_it_is_that_of_scikit_learn(rows: int, columns: int, centred: bool) -> None:
    rng = np.random.default_rng(rows)
    sample = 1 + rng.normal(size=(rows, columns)) @ np.diag(rng.uniform(0.1, 3, columns))
    sample[:, 0] *= 4
    expected = covariance.ledoit_wolf(sample, assume_centered=centred)[0]
    np.testing.assert_allclose(ledoit_wolf(sample, centred), expected, rtol=1e-9, atol=1e-12)


def test_equal_rows_have_no_covariance() -> None:
    assert not ledoit_wolf(np.full((5, 3), 2.5)).any()
    np.testing.assert_allclose(ledoit_wolf(np.eye(3), centred=True), np.eye(3) / 3)
