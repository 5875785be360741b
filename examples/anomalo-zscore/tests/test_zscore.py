"""The conformance kit, and the two formulas by hand."""

import numpy as np
import pytest

from anomalo.models.run import LocalRun
from anomalo.plugin import Block, Encoded, Layout
from anomalo.testing import checks
from anomalo_zscore import ZScore

LAYOUT = Layout("table", (2,), (Block("size", "number", 0), Block("colour", "category", 1, levels=("red", "blue"))))


def table(*rows: tuple[float, float]) -> Encoded:
    values = np.array(rows, dtype=np.float32)
    observed = np.ones(values.shape, dtype=bool)
    observed[:, 1] = values[:, 1] >= 2
    return Encoded(values, observed, LAYOUT)


@pytest.mark.parametrize(("name", "check"), checks(ZScore))
def test_it_conforms(name, check):
    check()


def test_numbers_count_by_distance_and_categories_by_rarity():
    model = ZScore(rarity=2.0).fit(table((0, 2), (1, 2), (-1, 2), (0, 3)), LocalRun())
    cells = model.explain(table((-3, 2), (0.5, 3), (0.5, 0)))
    expected = [[3, -2 * np.log(4 / 6)], [0.5, -2 * np.log(2 / 6)], [0.5, 0]]
    np.testing.assert_allclose(cells.contribution, expected)


def test_missing_cells_get_the_median_and_the_most_frequent_level():
    model = ZScore().fit(table((0, 3), (1, 3), (-1, 2)), LocalRun())
    hidden = table((5, 2), (5, 2)).hide(np.array([[True, False], [False, True]]))
    assert model.impute(hidden).point.tolist() == [[0, 2], [5, 3]]
