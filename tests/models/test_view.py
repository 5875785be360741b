"""What a model sees of rows with points in time, and what the core makes of its answers."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.models.results import Cells, Filled
from anomalo.models.view import View, explained_columns, filled_columns
from anomalo.tabular.schema import infer


@pytest.fixture(scope="module")
def data() -> Encoded:
    rng = np.random.default_rng(0)
    seconds = rng.uniform(0, 86_400 * 90, 400).round()
    time = (pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")).as_unit("us")
    frame = pd.DataFrame({"x": rng.normal(size=400), "time": time, "kind": rng.choice(["a", "b"], 400)})
    frame.loc[7, "time"] = pd.NaT
    table = pa.Table.from_pandas(frame, preserve_index=False)
    schema = infer(table)
    columns = schema.parse(table)
    return TableEncoder().fit(columns, schema).encode(columns)


def test_a_model_that_scores_sees_what_is_derived_in_place_of_the_moments(data: Encoded) -> None:
    seen = View.of(frozenset({"score"}), samples=False).of_rows(data)
    assert [block.name for block in seen.layout.blocks] == [
        *("x", "time", "kind", "hour of time", "weekday of time", "outside of time")
    ]
    assert [block.position for block in seen.layout.blocks] == list(range(6))
    assert not seen.observed[:, 1].any()
    assert not seen.values[:, 1].any()
    assert seen.observed[:, 3:].sum(axis=0).tolist() == [399, 399, 399]
    assert seen.derived is None
    assert seen.time is not None


def test_to_impute_it_sees_both_and_to_sample_the_columns_alone(data: Encoded) -> None:
    both = View.of(frozenset({"impute"}), samples=False).of_rows(data)
    np.testing.assert_array_equal(both.values[:, :3], data.values)
    assert both.values.shape == (400, 6)
    alone = View.of(frozenset(), samples=True).of_rows(data)
    assert alone.values is data.values
    assert alone.derived is None


def test_what_derives_from_a_hidden_moment_is_hidden(data: Encoded) -> None:
    cells = np.zeros(data.values.shape, dtype=bool)
    cells[3, 1] = cells[4, 0] = True
    seen = View(derived=True).of_rows(data.hide(cells))
    assert not seen.observed[3, [1, 3, 4, 5]].any()
    assert seen.observed[4, 1:].all()


def test_rows_keep_what_is_derived_of_them(data: Encoded) -> None:
    rows = np.array([5, 3])
    again = Encoded.concatenate([data.take(rows[:1]), data.take(rows[1:])])
    assert data.derived is not None
    assert again.derived is not None
    np.testing.assert_array_equal(again.derived.values, data.derived.values[rows])
    assert again.time is not None
    assert data.time is not None
    np.testing.assert_array_equal(again.time, data.time[rows])


def test_what_is_derived_contributes_to_its_column(data: Encoded) -> None:
    contribution = np.tile(np.array([1.0, 0.0, 2.0, 4.0, 8.0, 16.0]), (400, 1))
    found = explained_columns(Cells(contribution, contribution.astype(np.float32)), data)
    assert found.contribution[0].tolist() == [1.0, 28.0, 2.0]
    assert found.derived is not None
    assert found.derived.contribution[0].tolist() == [4.0, 8.0, 16.0]


def test_fills_are_those_of_the_columns() -> None:
    full = np.arange(12, dtype=np.float32).reshape(2, 6)
    found = filled_columns(Filled(full, full[None], {2: full, 4: full}, full, full), 3)
    assert found.point.shape == (2, 3)
    assert found.draws is not None
    assert found.draws.shape == (1, 2, 3)
    assert list(found.proba) == [2]
