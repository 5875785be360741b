"""How many threads boosting uses, and what it reads of scikit-learn's trees."""

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_info, threadpool_limits

from anomalo.models.learners.boosting import SMALL, few_threads


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}


@pytest.mark.parametrize(("cells", "inside"), [(SMALL - 1, 1), (SMALL, 3)])
def test_small_tables_are_fitted_by_one_thread_which_waits_for_no_other(cells: int, inside: int) -> None:
    with threadpool_limits(3, user_api="openmp"):
        with few_threads(cells):
            assert threads() == {inside}
        assert threads() == {3}


FIELDS = {
    "value",
    "feature_idx",
    "num_threshold",
    "missing_go_to_left",
    "left",
    "right",
    "depth",
    "is_leaf",
    "is_categorical",
    "bitset_idx",
}
"""The fields of scikit-learn's nodes that `anomalo/models/learners/boosting.py` reads."""


def test_scikit_learns_private_trees_have_the_fields_that_are_read() -> None:
    advice = (
        f"scikit-learn {sklearn.__version__} keeps its boosted trees otherwise: adapt "
        "anomalo/models/learners/boosting.py (and `_baseline_prediction` in the imputer `boosted`), or lower the upper "
        "bound of scikit-learn in pyproject.toml"
    )
    rng = np.random.default_rng(0)
    matrix = np.column_stack([rng.integers(5, size=200), rng.normal(size=200)])
    truth = np.isin(matrix[:, 0], [1, 3]) + 0.1 * matrix[:, 1]
    model = HistGradientBoostingRegressor(max_iter=3, categorical_features=[0]).fit(matrix, truth)
    steps = getattr(model, "_predictors", None)
    assert isinstance(steps, list), advice
    assert [len(step) for step in steps] == [1, 1, 1], advice
    tree = steps[0][0]
    assert set(getattr(tree, "nodes", np.zeros(0)).dtype.names or ()) >= FIELDS, advice
    sets = getattr(tree, "raw_left_cat_bitsets", np.zeros(0))
    assert sets.dtype == np.uint32, advice
    assert sets.shape == (int(tree.nodes["is_categorical"].sum()), 8), advice
    assert len(sets), advice
    assert np.shape(getattr(model, "_baseline_prediction", None)) == (1, 1), advice
