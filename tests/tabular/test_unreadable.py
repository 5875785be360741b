"""Cells that are not of their column's kind: which are unreadable, and when the column is refused."""

import json

import numpy as np
import pyarrow as pa
import pytest

from anomalo.encoding.layout import Layout
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.errors import SchemaError
from anomalo.tabular.column import Column, SchemaOptions
from anomalo.tabular.parsing import mostly_unreadable
from anomalo.tabular.schema import Schema, infer

SCHEMA = Schema((Column("x", "integer"), Column("c", "category")), 4)


def batch(cells: list[str | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"x": pa.array(cells, pa.string()), "c": ["a"] * len(cells)})


def test_a_cell_that_is_no_number_is_unreadable_and_not_missing() -> None:
    columns = SCHEMA.parse(batch(["1", "n/k", "", None, "5"]))
    assert columns.unreadable.keys() == {"x"}
    assert columns.unreadable["x"].tolist() == [False, True, False, False, False]
    assert np.isnan(columns.values["x"]).tolist() == [False, True, True, True, False]
    assert not SCHEMA.parse(batch(["1", "", None])).unreadable


def test_strict_names_the_cell() -> None:
    with pytest.raises(SchemaError, match="'x' holds 'n/k' in row 101, where an integer is expected"):
        SCHEMA.parse(batch(["1", " n/k", "2"]), first_row=100, strict=True)
    assert not SCHEMA.parse(batch(["1", "", "2"]), strict=True).unreadable


def test_a_column_most_of_whose_cells_cannot_be_read_is_refused() -> None:
    with pytest.raises(SchemaError, match="'bad' in row 1"):
        SCHEMA.parse(batch(["", "bad", "worse"]))
    assert SCHEMA.parse(batch(["1", "bad", "worse"])).unreadable["x"].sum() == 2
    with pytest.raises(SchemaError, match="'bad'"):
        SCHEMA.parse(batch(["1"] * 9 + ["bad"] * 11))
    assert SCHEMA.parse(batch(["1"] * 10 + ["bad"] * 10)).unreadable["x"].sum() == 10
    assert not mostly_unreadable(0, 0)


def test_an_unreadable_number_is_encoded_apart_from_a_missing_one() -> None:
    table = pa.table(batch(["1", "2", "3", "", "bad", "4"]).to_pydict())
    columns = SCHEMA.parse(table)
    encoder = TableEncoder().fit(columns, SCHEMA)
    (number, _) = encoder.layout.blocks
    assert (number.missing, number.unreadable) == (pytest.approx(1 / 6), pytest.approx(1 / 6))
    assert Layout.from_json(json.loads(json.dumps(encoder.layout.to_json()))) == encoder.layout
    data = encoder.encode(columns)
    assert data.values[3:5, 0].tolist() == [0.0, 1.0]
    assert data.observed[3:5, 0].tolist() == [False, False]


def test_kept_texts_are_values() -> None:
    texts = pa.table({"c": ["NA", "EU", "US", "NA", "-"]})
    table = texts.replace_schema_metadata({b"anomalo": b'{"text": true}'})
    usual = infer(table)
    assert usual.parse(table).values["c"].expand().to_pylist() == [None, "EU", "US", None, None]
    for keep in (("c=NA",), ("NA",)):
        schema = infer(table, SchemaOptions(keep=keep))
        again = Schema.from_json(json.loads(json.dumps(schema.to_json())))
        assert again == schema
        assert again.parse(table).values["c"].expand().to_pylist() == ["NA", "EU", "US", "NA", None]
