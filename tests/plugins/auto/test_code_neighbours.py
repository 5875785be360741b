"""Neighbours in the codes: mean distances in whitened components, against the Mahalanobis distance."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from anomalo.plugin import Block, Encoded, Floats, Layout
from anomalo_auto.code_neighbours import DIRECTIONS, LEAST, NEAREST, REFERENCE, CodeNeighbours

RNG = np.random.default_rng


class Linear:
    """Codes that are linear in the row."""

    def __init__(self, matrix: NDArray[Any]) -> None:
        self.matrix = np.asarray(matrix, dtype=np.float32)

    def embed(self, data: Encoded) -> Floats:
        return np.stack([row @ self.matrix for row in data.values]) if len(data) else data.values @ self.matrix


def rows(values: NDArray[Any]) -> Encoded:
    values = np.asarray(values, dtype=np.float32)
    blocks = tuple(Block(f"x{at}", "number", at) for at in range(values.shape[1]))
    return Encoded(values, np.ones(values.shape, dtype=bool), Layout("table", values.shape[1:], blocks))


def brute_force(train: NDArray[Any], new: NDArray[Any]) -> NDArray[np.float64]:
    """The mean Mahalanobis distance to the nearest training codes that are others."""
    inverse = np.linalg.inv(np.cov(train.T, bias=True))
    distances = cdist(new.astype(np.float64), train.astype(np.float64), "mahalanobis", VI=inverse)
    return np.array([np.sort(row[row >= 1e-3])[:NEAREST].mean() for row in distances])


def test_the_score_is_the_mean_distance_to_the_nearest_codes_in_whitened_components() -> None:
    train, new = rows(RNG(0).normal(size=(300, 5))), rows(3 * RNG(1).normal(size=(50, 5)))
    embedder = Linear(RNG(2).normal(size=(5, 4)) * [1, 10, 0.1, 3])
    found = CodeNeighbours.fit(embedder, train, RNG(0))
    np.testing.assert_allclose(found.score(new), brute_force(embedder.embed(train), embedder.embed(new)), rtol=1e-6)


def test_a_row_is_not_its_own_neighbour_nor_are_its_doubles() -> None:
    train = rows(np.repeat(RNG(0).normal(size=(100, 3)), 2, axis=0))
    embedder = Linear(np.eye(3))
    found = CodeNeighbours.fit(embedder, train, RNG(0)).score(train)
    np.testing.assert_allclose(found, brute_force(train.values, train.values), rtol=1e-6)
    assert found.min() > 0.01


def test_a_row_has_the_same_score_to_the_bit_among_any_others() -> None:
    train, new = rows(RNG(0).normal(size=(500, 6))), rows(RNG(1).normal(size=(70, 6)))
    found = CodeNeighbours.fit(Linear(RNG(2).normal(size=(6, 9))), train, RNG(0))
    together = found.score(new)
    assert together.tolist() == [float(found.score(new.take([row]))[0]) for row in range(70)]
    assert found.score(new.take(slice(40, 0, -1))).tolist() == together[40:0:-1].tolist()
    assert len(found.score(new.take([]))) == 0


def test_a_direction_in_which_no_training_code_differs_counts_by_the_least_deviation() -> None:
    train = np.column_stack([RNG(0).normal(size=50), np.zeros(50)])
    found = CodeNeighbours.fit(Linear(np.eye(2)), rows(train), RNG(0))
    (score,) = found.score(rows(np.array([[0.0, 1.0]])))
    assert score == pytest.approx(1 / LEAST, rel=1e-3)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_where_all_codes_are_equal_training_rows_score_0(count: int) -> None:
    train = rows(np.full((count, 2), 3.0))
    found = CodeNeighbours.fit(Linear(np.eye(2)), train, RNG(0))
    assert found.score(train).tolist() == [0.0] * count
    assert np.isfinite(found.score(rows(np.array([[1.0, 2.0]])))).all()


def test_at_most_so_many_codes_and_components_are_kept() -> None:
    train = rows(RNG(0).normal(size=(REFERENCE + 100, 80)))
    found = CodeNeighbours.fit(Linear(np.eye(80)), train, RNG(0))
    assert found.reference.shape == (REFERENCE, DIRECTIONS)
    other = CodeNeighbours.fit(Linear(np.eye(80)), train, RNG(0))
    assert all(np.array_equal(array, other.arrays()[name]) for name, array in found.arrays().items())
    assert not np.array_equal(found.reference, CodeNeighbours.fit(Linear(np.eye(80)), train, RNG(1)).reference)


def test_what_it_learned_gives_the_same_scores_again() -> None:
    train, embedder = rows(RNG(0).normal(size=(60, 3))), Linear(np.eye(3))
    found = CodeNeighbours.fit(embedder, train, RNG(0))
    assert np.array_equal(CodeNeighbours(embedder, **found.arrays()).score(train), found.score(train))
