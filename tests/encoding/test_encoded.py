"""Hashes depend on a row's content alone; the dense matrix maps back to columns; layouts survive JSON."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anomalo.encoding.encoded import DENSE_LEVELS, FIRST_LEVEL, MISSING, UNSEEN, Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.testing import tables

NUMBERS = Layout("table", (3,), tuple(Block(name, "number", at) for at, name in enumerate("abc")))


def numbers(values: Any, observed: Any = None) -> Encoded:
    values = np.asarray(values, dtype=np.float32)
    observed = np.ones(values.shape, dtype=bool) if observed is None else np.asarray(observed)
    return Encoded(values, observed, Layout("table", values.shape[1:], NUMBERS.blocks))


def categories(rows: int, columns: int, levels: int) -> Encoded:
    names = tuple(f"level {level}" for level in range(levels))
    blocks = tuple(Block(f"c{at}", "category", at, levels=names) for at in range(columns))
    codes = np.random.default_rng(0).integers(FIRST_LEVEL, FIRST_LEVEL + levels, (rows, columns))
    observed = np.ones(codes.shape, dtype=bool)
    return Encoded(codes.astype(np.float32), observed, Layout("table", (columns,), blocks))


def test_equal_rows_have_equal_hashes_whatever_their_neighbours() -> None:
    train, _ = tables()
    whole = train.hashes()
    order = np.random.default_rng(0).permutation(len(train))
    np.testing.assert_array_equal(train.take(order).hashes(), whole[order])
    np.testing.assert_array_equal(train.take(slice(7, 8)).hashes(), whole[7:8])
    assert whole.dtype == np.uint64
    assert train.take(slice(0, 0)).hashes().shape == (0,)


def test_the_two_zeros_are_one_value() -> None:
    plus, minus = numbers([[0.0, 1.0, 2.0]]), numbers([[-0.0, 1.0, 2.0]])
    assert plus.hashes() == minus.hashes()


def test_the_mask_and_the_order_of_columns_matter() -> None:
    row = [[0.0, 1.0, 2.0]]
    seen = numbers(row).hashes()[0]
    hidden = [numbers(row, [[at != 0, at != 1, at != 2]]).hashes()[0] for at in range(3)]
    swapped = [numbers([[1.0, 0.0, 2.0]]).hashes()[0], numbers([[0.0, 2.0, 1.0]]).hashes()[0]]
    assert len({seen, *hidden, *swapped}) == 6


@settings(deadline=None, max_examples=25)
@given(
    values=hnp.arrays(np.float32, st.tuples(st.integers(1, 12), st.just(3)), elements=st.sampled_from([-1, 0, 1, 2]))
)
def test_rows_are_equal_exactly_if_their_hashes_are(values: Any) -> None:
    hashes = numbers(values).hashes()
    same = (values[:, None, :] == values[None, :, :]).all(axis=2)
    np.testing.assert_array_equal(hashes[:, None] == hashes[None, :], same)


@pytest.mark.parametrize("columns", [3, 30])
def test_no_collisions_in_a_hundred_thousand_random_rows(columns: int) -> None:
    values = np.random.default_rng(0).standard_normal((100_000, columns)).astype(np.float32)
    data = Encoded(
        values,
        np.ones(values.shape, dtype=bool),
        Layout("table", (columns,), tuple(Block(f"x{at}", "number", at) for at in range(columns))),
    )
    assert len(np.unique(data.hashes())) == len(np.unique(values, axis=0))


def test_the_hashes_of_categories_use_nearly_all_bits() -> None:
    # Codes are floats that differ in their first bits only. If they are multiplied as they are, the low 22 bits
    # of all hashes are equal before the last step, which is undone here, and 1 pair of 2**42 collides.
    hashes = categories(20_000, columns=40, levels=2).hashes()
    total = hashes ^ (hashes >> np.uint64(32))
    share_of_ones = ((total[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).mean(axis=0)
    assert np.sum(np.abs(share_of_ones - 0.5) < 0.15) >= 56


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values \(1, 2\) and observed \(1, 3\) do not fit the layout: \(1, 3\)"):
        Encoded(np.zeros((1, 2), dtype=np.float32), np.ones((1, 3), dtype=bool), NUMBERS)


def test_hidden_cells_are_missing_in_a_copy() -> None:
    train, _ = tables()
    before = train.values.copy()
    cells = np.random.default_rng(0).random(train.values.shape) < 0.3
    hidden = train.hide(cells)
    assert (hidden.values[cells] == MISSING).all()
    assert not hidden.observed[cells].any()
    np.testing.assert_array_equal(hidden.values[~cells], train.values[~cells])
    np.testing.assert_array_equal(hidden.observed[~cells], train.observed[~cells])
    np.testing.assert_array_equal(train.values, before)


def test_rows_are_taken_with_their_targets_and_put_together_again() -> None:
    train, _ = tables()
    data = Encoded(train.values, train.observed, train.layout, np.arange(len(train), dtype=np.float64))
    mask = np.arange(len(data)) % 3 == 0
    parts = [data.take(mask), data.take(np.flatnonzero(~mask))]
    whole = Encoded.concatenate(parts)
    order = np.r_[np.flatnonzero(mask), np.flatnonzero(~mask)]
    np.testing.assert_array_equal(whole.target, order)
    np.testing.assert_array_equal(whole.values, data.values[order])
    np.testing.assert_array_equal(whole.observed, data.observed[order])
    assert Encoded.concatenate([parts[0], train]).target is None


def one_cell_at_a_time(data: Encoded) -> tuple[Any, Any]:
    """The dense matrix by the book: a loop over rows and columns."""
    rows, positions = [], []
    for values, seen in zip(data.values, data.observed, strict=True):
        row: list[float] = []
        positions = []
        for block in data.layout.blocks:
            value, known = values[block.position], seen[block.position]
            cells: list[float] = []
            if block.kind == "number":
                cells = [value if known else 0.0]
            elif block.size > 1:
                cells = [2**-0.5 * (value == FIRST_LEVEL + level) for level in range(block.size)][:DENSE_LEVELS]
            if block.missing > 0:
                cells.append(0.0 if known else 1.0)
            row += cells
            positions += [block.position] * len(cells)
        rows.append(row)
    return np.array(rows, dtype=np.float32), np.array(positions)


def test_the_dense_matrix_equals_the_one_computed_cell_by_cell() -> None:
    train, new = tables()
    for data in (train, new):
        dense = data.dense()
        matrix, position = one_cell_at_a_time(data)
        np.testing.assert_array_equal(dense.matrix, matrix)
        np.testing.assert_array_equal(dense.position, position)
        assert dense.matrix.dtype == np.float32


def test_two_different_levels_are_one_apart_and_unseen_ones_have_no_level() -> None:
    layout = Layout("table", (1,), (Block("colour", "category", 0, levels=("red", "green"), rare=("blue", "pink")),))
    codes = np.array([[2], [3], [4], [UNSEEN], [MISSING]], dtype=np.float32)
    matrix = Encoded(codes, codes >= FIRST_LEVEL, layout).dense().matrix
    assert matrix.shape == (5, 3)
    distance = np.linalg.norm(matrix[:3, None] - matrix[None, :3], axis=2)
    np.testing.assert_allclose(distance, 1 - np.eye(3), rtol=1e-6)
    assert not matrix[3:].any()


def test_one_hot_columns_are_capped_and_single_levels_have_none() -> None:
    assert categories(5, columns=2, levels=DENSE_LEVELS + 9).dense().matrix.shape == (5, 2 * DENSE_LEVELS)
    assert categories(5, columns=2, levels=1).dense().matrix.shape == (5, 0)


def test_the_columns_of_the_dense_matrix_do_not_depend_on_the_rows() -> None:
    train, new = tables()
    whole = new.dense()
    for rows in (slice(0, 0), slice(3, 4), slice(10, 30)):
        part = new.take(rows).dense()
        np.testing.assert_array_equal(part.matrix, whole.matrix[rows])
        np.testing.assert_array_equal(part.position, whole.position)
    assert train.dense().matrix.shape[1] == whole.matrix.shape[1]


def test_the_cells_of_a_series_belong_to_its_channels() -> None:
    blocks = (Block("speed", "number", 0), Block("gear", "category", 1, levels=("low", "high"), missing=0.5))
    values = np.arange(12, dtype=np.float32).reshape(1, 6, 2)
    layout = Layout("series", (6, 2), blocks)
    dense = Encoded(values, values >= 0, layout).hide(values == 3).dense()
    assert layout.block_of_cell.tolist() == [0, 1] * 6
    assert layout.cell_names[:3] == ("speed[0]", "gear[0]", "speed[1]")
    np.testing.assert_array_equal(layout.spread([7, 8])[4], [7, 8])
    # A channel's cells have the columns that a table's column has: here a number, and two levels and a flag.
    np.testing.assert_array_equal(dense.position, np.repeat(np.arange(12), [1, 3] * 6))
    np.testing.assert_array_equal(dense.matrix[0, dense.position == 2], [2])
    np.testing.assert_array_equal(dense.matrix[0, dense.position == 3], [0, 0, 1])


def test_the_cells_of_an_image_belong_to_the_channels_that_come_first() -> None:
    blocks = tuple(Block(name, "number", at) for at, name in enumerate(["red", "green"]))
    layout = Layout("image", (2, 3, 4), blocks, axis=0)
    assert layout.block_of_cell.tolist() == [0] * 12 + [1] * 12
    assert layout.cell_names[13] == "green[0, 1]"
    assert layout.spread([5, 6])[1, 2, 3] == 6
    assert Layout.from_json(json.loads(json.dumps(layout.to_json()))) == layout


names = st.text(max_size=5)


@st.composite
def layouts(draw: Any) -> Layout:
    blocks = []
    for position in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            scale, low = draw(st.floats(1e-9, 1e9)), draw(st.floats(-5, 0))
            blocks.append(Block(draw(names), "number", position, scale=scale, low=low, integer=draw(st.booleans())))
        else:
            levels, rare = tuple(draw(st.lists(names))), tuple(draw(st.lists(names)))
            blocks.append(Block(draw(names), "category", position, levels, rare, missing=draw(st.floats(0, 1))))
    return Layout("table", (len(blocks),), tuple(blocks))


@settings(deadline=None, max_examples=30)
@given(layout=layouts())
def test_a_layout_survives_json(layout: Layout) -> None:
    again = Layout.from_json(json.loads(json.dumps(layout.to_json())))
    assert again == layout
    assert hash(again) == hash(layout)
    assert sorted([*layout.numbers, *layout.categories]) == list(range(len(layout.blocks)))


def test_rare_levels_share_one_code() -> None:
    assert Block("c", "category", 0, levels=("a", "b"), rare=("x", "y", "z")).size == 3
    assert Block("c", "category", 0, levels=("a", "b")).size == 2
    assert Block("n", "number", 0).size == 0
