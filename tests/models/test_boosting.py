"""How many threads boosting uses."""

import pytest
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: F401  # loads OpenMP
from threadpoolctl import threadpool_info, threadpool_limits

from anomalo.models.boosting import SMALL, few_threads


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}


@pytest.mark.parametrize(("cells", "inside"), [(SMALL - 1, 1), (SMALL, 3)])
def test_small_tables_are_fitted_by_one_thread_which_waits_for_no_other(cells: int, inside: int) -> None:
    with threadpool_limits(3, user_api="openmp"):
        with few_threads(cells):
            assert threads() == {inside}
        assert threads() == {3}
