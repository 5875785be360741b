"""A table as normal scores and codes, and back: nothing lost, nothing invented, conditions exact."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from anomalo.generators.quantiles import MOST_KNOTS, Quantiles
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout, TableTransform


def encoded(columns: list[np.ndarray], levels: tuple[int, ...]) -> Encoded:
    """Columns with nan for missing values; `levels` is 0 for a number, and a category's number of levels."""
    values = np.column_stack(columns).astype(np.float32)
    blocks = tuple(
        Block(str(at), "category" if size else "number", at, levels=tuple(map(str, range(size))))
        for at, size in enumerate(levels)
    )
    observed = ~np.isnan(values)
    return Encoded(np.where(observed, values, np.float32(0)), observed, Layout("table", (len(levels),), blocks))


def mixed(rows: int = 600, seed: int = 0) -> Encoded:
    """A smooth number, an incomplete zero-inflated one, one with few values, two categories of which one follows."""
    rng = np.random.default_rng(seed)
    inflated = np.where(rng.random(rows) < 0.7, 0, rng.exponential(size=rows))
    inflated[rng.random(rows) < 0.1] = np.nan
    month = rng.integers(0, 12, rows)
    columns = [rng.normal(size=rows), inflated, rng.integers(0, 5, rows), month + FIRST_LEVEL, month // 3 + FIRST_LEVEL]
    return encoded(columns, (0, 0, 0, 12, 4))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Distributions of numbers.


def test_normal_scores_are_standard_normal_and_lead_back() -> None:
    values = rng().gamma(2, size=2000)
    quantiles = Quantiles.fit(values)
    scores = quantiles.forward(values, rng())
    assert stats.kstest(scores, "norm").pvalue > 0.99
    np.testing.assert_allclose(quantiles.inverse(scores), values, rtol=1e-9)


def test_ties_are_jittered_over_their_share_and_lead_back_exactly() -> None:
    values = rng().poisson(3, 3000).astype(np.float64)
    quantiles = Quantiles.fit(values)
    scores = quantiles.forward(values, rng())
    assert stats.kstest(scores, "norm").pvalue > 0.01
    np.testing.assert_array_equal(quantiles.inverse(scores.astype(np.float32)), values)
    assert quantiles.closed


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60), st.lists(st.floats(-9, 9), min_size=1))
@settings(max_examples=60, deadline=None)
def test_no_score_leads_outside_the_range_nor_against_the_order(values: list[float], scores: list[float]) -> None:
    quantiles = Quantiles.fit(values)
    back = quantiles.inverse(np.sort(scores))
    assert (back >= min(values)).all()
    assert (back <= max(values)).all()
    assert (np.diff(back) >= 0).all()
    assert np.isfinite(quantiles.forward([*values, -1e9, 1e9], rng())).all()


def test_a_value_that_was_not_seen_scores_between_its_neighbours() -> None:
    quantiles = Quantiles.fit([1.0, 2.0, 2.0, 4.0, 5.0])
    share = stats.norm.cdf(quantiles.forward([1.5, 3.0, -7.0, 99.0]))
    np.testing.assert_allclose(share, [0.25, 0.55, 0.1, 0.9])


def test_many_values_are_kept_by_some_of_them() -> None:
    values = rng().normal(size=50_000)
    quantiles = Quantiles.fit(values)
    assert len(quantiles.values) <= MOST_KNOTS
    assert (quantiles.values[0], quantiles.values[-1]) == (values.min(), values.max())
    np.testing.assert_allclose(quantiles.inverse(quantiles.forward(values, rng())), values, atol=2e-3)


# Tables.


def test_a_table_leads_back_to_itself() -> None:
    data = mixed()
    table = TableTransform.fit(data)
    parts = table.forward(data, rng())
    assert (table.width, sorted(table.sizes)) == (2, [3, 5, 12])
    back = table.backward(parts.numbers, parts.codes)
    np.testing.assert_array_equal(back.observed, data.observed)
    np.testing.assert_array_equal(back.values[:, 2:], data.values[:, 2:])
    np.testing.assert_allclose(back.values, data.values, atol=1e-4)
    scores = parts.numbers[parts.known_numbers[:, 1], 1]
    assert parts.known_numbers[:, 1].mean() == pytest.approx(0.27, abs=0.05)
    assert scores.std() == pytest.approx(1, abs=0.1)


@given(st.integers(0, 2**32 - 1), st.integers(2, 80))
@settings(max_examples=30, deadline=None)
def test_any_table_leads_back_to_itself(seed: int, rows: int) -> None:
    random = rng(seed)
    columns = [
        random.integers(0, random.integers(1, 40), rows) * 1.5,
        random.normal(size=rows).round(random.integers(0, 3)),
        random.integers(0, random.integers(1, 9), rows) + FIRST_LEVEL,
        np.full(rows, random.normal()),
    ]
    columns = [np.where(random.random(rows) < random.choice([0, 0.5, 1]), np.nan, column) for column in columns]
    data = encoded(columns, (0, 0, 9, 0))
    table = TableTransform.fit(data)
    parts = table.forward(data, random)
    back = table.backward(parts.numbers, parts.codes)
    np.testing.assert_array_equal(back.observed, data.observed)
    np.testing.assert_allclose(back.values, data.values, atol=1e-5)


def test_any_scores_and_codes_make_rows_of_known_values_in_range() -> None:
    data = mixed()
    table = TableTransform.fit(data)
    numbers = rng().normal(scale=3, size=(5000, table.width)).astype(np.float32)
    codes = np.column_stack([rng(at).integers(0, size, 5000) for at, size in enumerate(table.sizes)])
    decoded = table.backward(numbers, codes)
    for at in range(5):
        seen = data.values[data.observed[:, at], at]
        values = decoded.values[decoded.observed[:, at], at]
        assert seen.min() <= values.min()
        assert values.max() <= seen.max()
        assert at < 2 or np.isin(values, seen).all()
    np.testing.assert_array_equal(decoded.values[:, 4], (decoded.values[:, 3] - FIRST_LEVEL) // 3 + FIRST_LEVEL)


def test_marginals_are_reproduced() -> None:
    data = mixed(4000)
    table = TableTransform.fit(data)
    parts = table.forward(data, rng())
    numbers = rng(1).normal(size=parts.numbers.shape).astype(np.float32)
    decoded = table.backward(numbers, parts.codes)
    for at in (0, 1):
        real, synthetic = (rows.values[rows.observed[:, at], at] for rows in (data, decoded))
        assert stats.ks_2samp(real, synthetic).pvalue > 0.05


def test_conditions_allow_what_the_given_cells_do() -> None:
    data = mixed()
    table = TableTransform.fit(data)
    names = {column.position: column for column in table.columns}
    nothing = encoded([np.full(1, np.nan)] * 5, (0, 0, 0, 12, 4))
    asked = table.condition(nothing, rng())
    assert asked.allowed is not None
    assert all(mask.all() for mask in asked.allowed)
    assert not asked.known_numbers.any()
    cells = [0.5, np.nan], [0, 1.25], [np.nan, 3], [np.nan, 5], [3, np.nan]
    given = encoded([np.array(pair) for pair in cells], (0, 0, 0, 12, 4))
    parts = table.condition(given, rng())
    assert parts.allowed is not None
    np.testing.assert_array_equal(parts.known_numbers, [[True, False], [False, True]])
    inflated, few, month = (parts.allowed[names[at].code] for at in (1, 2, 3))
    np.testing.assert_array_equal(inflated, [[True, False, False], [False, True, False]])
    np.testing.assert_array_equal(few, [[True] * 5, [False, False, False, True, False]])
    assert np.flatnonzero(month[0]).tolist() == [3, 4, 5]  # the second quarter
    assert np.flatnonzero(month[1]).tolist() == [3]
    decoded = table.complete(parts.numbers, parts.codes, given)
    np.testing.assert_array_equal(decoded.values[given.observed], given.values[given.observed])


def test_a_contradiction_keeps_the_given_cells() -> None:
    data = mixed()
    table = TableTransform.fit(data)
    given = encoded([np.array([v]) for v in (np.nan, np.nan, 99.0, 2, 5)], (0, 0, 0, 12, 4))
    parts = table.condition(given, rng())
    assert parts.allowed is not None
    assert all(mask.any(axis=1).all() for mask in parts.allowed)
    decoded = table.complete(parts.numbers, parts.codes, given)
    assert decoded.values[0, 2:].tolist() == [99.0, 2.0, 5.0]


def test_a_level_that_training_lacked_is_no_condition() -> None:
    data = encoded([np.tile([2.0, 3.0], 50)], (3,))
    parts = TableTransform.fit(data).condition(encoded([np.array([4.0])], (3,)), rng())
    assert parts.allowed is not None
    assert parts.allowed[0].all()


def test_heaps_among_the_rest_of_an_inflated_number_are_atoms_too() -> None:
    values = np.concatenate([np.zeros(900), np.full(15, 7.5), rng().normal(5, 1, 85)])
    column = TableTransform.fit(encoded([values], (0,))).columns[0]
    assert column.atoms.tolist() == [0.0, 7.5]
    assert column.rest is not None
    assert len(column.rest.values) == 85


def test_it_is_packed_and_unpacked_without_loss() -> None:
    data = mixed()
    table = TableTransform.fit(data)
    array, value = table.pack()
    same = TableTransform.unpack(array, json.loads(json.dumps(value)))
    parts, again = table.forward(data, rng(3)), same.forward(data, rng(3))
    np.testing.assert_array_equal(parts.numbers, again.numbers)
    np.testing.assert_array_equal(parts.codes, again.codes)
    one, other = table.backward(parts.numbers, parts.codes), same.backward(parts.numbers, parts.codes)
    np.testing.assert_array_equal(one.values, other.values)
    assert same.sizes == table.sizes


def test_the_work_grows_with_the_columns_and_not_with_their_pairs(calls: Callable[..., int]) -> None:
    columns = list((rng().random((1000, 1000)) < 0.01) + float(FIRST_LEVEL))
    columns[7] = columns[3]
    data = encoded(columns, (2,) * 1000)
    assert calls(lambda: TableTransform.fit(data)) < 300 * 1000
    assert len(TableTransform.fit(data).sizes) == 999
