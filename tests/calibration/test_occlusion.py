"""The surprisal follows its formula; occlusion finds the cells of a model that is known by hand."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from anomalo.calibration.occlusion import cells_of, novelty_surprisal, occlusion, raised_to, typical
from anomalo.models.guarded import GuardedModel
from anomalo.models.run import LocalRun
from anomalo.plugin import FIRST_LEVEL, MISSING, UNSEEN, Block, Cells, Encoded, Layout, Model, Run, Scores
from anomalo.testing import tables

LAYOUT = Layout(
    "table",
    (4,),
    (
        Block("complete number", "number", 0),
        Block("incomplete number", "number", 1, missing=0.1),
        Block("complete category", "category", 2, levels=("a", "b")),
        Block("incomplete category", "category", 3, levels=("a", "b"), missing=0.1),
    ),
)


def encoded(rows: Any) -> Encoded:
    """None is a missing value, "?" an unseen level."""
    table = [[MISSING if cell is None else UNSEEN if cell == "?" else cell for cell in row] for row in rows]
    observed = [[cell is not None and cell != "?" for cell in row] for row in rows]
    return Encoded(np.array(table, dtype=np.float32), np.array(observed), LAYOUT)


def test_only_cells_without_precedent_in_training_have_a_surprisal() -> None:
    data = encoded([[0.5, 0.5, 2, 3], [None, None, None, None], [0.0, 0.0, "?", "?"], [0.0, 1.0, 3, 2]])
    expected = [[0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]]
    np.testing.assert_allclose(novelty_surprisal(data, 99), np.array(expected) * math.log(100 / 0.5))


@pytest.mark.parametrize("rows", [2, 100, 10**6])
def test_the_surprisal_is_that_of_the_krichevsky_trofimov_estimate(rows: int) -> None:
    found = novelty_surprisal(encoded([[0.0, 0.0, "?", 2]]), rows)[0, 2]
    # (count + 1/2) / (n + 1) for an event that was seen 0 times of n
    assert math.exp(-found) == pytest.approx((0 + 0.5) / (rows + 1))


def test_the_typical_row_is_the_centre_and_the_most_frequent_levels() -> None:
    np.testing.assert_array_equal(typical(LAYOUT), [0, 0, FIRST_LEVEL, FIRST_LEVEL])


WEIGHTS = np.array([[1.0, 2.0, -3.0, 0.5, 4.0]])


@dataclass(kw_only=True)
class Additive(Model):
    """The sum of known parts, one for each observed cell."""

    name = "additive"

    def fit(self, data: Encoded, run: Run) -> "Additive":
        return self

    def score(self, data: Encoded) -> Scores:
        return np.asarray(np.where(data.observed, data.values * WEIGHTS, 0.25).sum(axis=1), dtype=np.float64)


class WithReasons(Additive):
    def explain(self, data: Encoded) -> Cells:
        return Cells(np.full(data.values.shape, 7.0), data.values)


def test_occlusion_finds_the_parts_of_an_additive_model() -> None:
    train, new = tables()
    cells = occlusion(Additive().fit(train, LocalRun()), new)
    parts = np.where(new.observed, new.values * WEIGHTS - 0.25, 0.0)
    np.testing.assert_allclose(cells.contribution, parts, atol=1e-5)
    np.testing.assert_array_equal(cells.expected, np.tile(typical(new.layout), (len(new), 1)))


def test_a_model_that_gives_reasons_is_asked_for_them() -> None:
    _, new = tables()
    assert (cells_of(GuardedModel.of(WithReasons()), new).contribution == 7.0).all()
    np.testing.assert_array_equal(
        cells_of(GuardedModel.of(Additive()), new).contribution, occlusion(Additive(), new).contribution
    )


def test_no_rows_need_no_reasons() -> None:
    _, new = tables()
    cells = occlusion(Additive(), new.take(slice(0, 0)))
    assert cells.contribution.shape == cells.expected.shape == (0, 5)


def test_what_a_reported_score_exceeds_the_sum_by_is_divided_among_positive_contributions() -> None:
    cells = np.array([[3.0, 1.0, 0.0], [3.0, 1.0, -1.0], [0.0, -2.0, 0.0], [0.1, 0.2, 0.3]])
    found = raised_to(cells, lambda total: np.array([8.0, 7.0, 1.0, total[3]]))
    np.testing.assert_allclose(found[:3], [[6, 2, 0], [6, 2, -1], [1, -1, 1]])
    assert found[3].tolist() == cells[3].tolist()  # to the bit
    np.testing.assert_allclose(raised_to(cells[:1], lambda total: total / 2), [[1.5, 0.5, 0]])
    assert raised_to(np.zeros((0, 3)), lambda total: total).shape == (0, 3)
