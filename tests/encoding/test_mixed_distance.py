"""Gower's distance against its definition, cell by cell."""

import numpy as np

from anomalo.encoding.encoded import MISSING, UNSEEN, Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.mixed_distance import mixed_distances

LAYOUT = Layout(
    "table",
    (5,),
    (
        Block("size", "number", 0, low=-2.0, high=2.0),
        Block("colour", "category", 1, levels=("red", "green", "blue")),
        Block("constant", "number", 2, low=1.0, high=1.0),
        Block("label", "category", 3, levels=("a", "b"), label=True),
        Block("when", "number", 4, low=0.0, high=9.0, moment=True),
    ),
)


def rows(count: int, seed: int) -> Encoded:
    """Return rows of which some cells are missing, outside of the range, or of an unseen level."""
    rng = np.random.default_rng(seed)
    values = np.stack(
        [
            rng.normal(0, 2, count),
            rng.integers(0, 5, count),
            rng.normal(size=count),
            rng.integers(0, 4, count),
            rng.normal(size=count),
        ],
        axis=1,
    ).astype(np.float32)
    observed = np.ones(values.shape, dtype=np.bool_)
    observed[:, 0] = rng.random(count) > 0.2
    values[~observed[:, 0], 0] = MISSING
    observed[:, 1] = values[:, 1] > UNSEEN
    return Encoded(values, observed, LAYOUT)


def by_definition(mine: Encoded, theirs: Encoded, row: int, other: int) -> float:
    parts = []
    if mine.observed[row, 0]:
        there = theirs.observed[other, 0]
        difference = abs(float(mine.values[row, 0]) - float(theirs.values[other, 0])) / 4
        parts.append(min(difference, 1.0) if there else 1.0)
    if mine.values[row, 1] != MISSING:
        known = theirs.values[other, 1] != UNSEEN
        parts.append(float(not known or mine.values[row, 1] != theirs.values[other, 1]))
    return sum(parts) / max(len(parts), 1)


def test_the_distance_is_gowers() -> None:
    mine, theirs = rows(300, 0), rows(40, 1)
    found = mixed_distances(mine, theirs)
    expected = [[by_definition(mine, theirs, row, other) for other in range(40)] for row in range(300)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1


def test_a_row_is_as_far_alone_as_among_others() -> None:
    mine, theirs = rows(300, 0), rows(40, 1)
    whole = mixed_distances(mine, theirs)
    np.testing.assert_array_equal(mixed_distances(mine.take(np.array([250, 3])), theirs), whole[[250, 3]])
    order = np.random.default_rng(2).permutation(40)
    np.testing.assert_array_equal(mixed_distances(mine, theirs.take(order)), whole[:, order])
