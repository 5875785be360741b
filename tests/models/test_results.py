"""Shares of positive contributions."""

import numpy as np

from anomalo.models.results import relative


def test_shares_of_positive_parts_and_equal_ones_where_there_are_none() -> None:
    found = relative(np.array([[1.0, 3.0, -4.0], [-1.0, 0.0, -2.0]]))
    assert np.allclose(found, [[0.25, 0.75, 0.0], [1 / 3, 1 / 3, 1 / 3]])


def test_a_table_without_columns_has_no_shares() -> None:
    assert relative(np.zeros((2, 0))).shape == (2, 0)
