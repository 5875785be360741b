"""A table at a glance is what a fit would make of it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.errors import SchemaError, SourceError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.describing.preview import preview
from anomalo.tabular.schema import SchemaOptions


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    return JobContext.at(tmp_path / "workspace")


def test_columns_rows_and_the_first_rows_as_text(context: JobContext, tables: Path, patients: pd.DataFrame) -> None:
    found = preview(context, str(tables / "patients.csv"), SchemaOptions(id="name", label="sick"))
    assert (found.rows, found.missing) == (240, 5)
    assert {column.name: column.kind for column in found.schema.features} == {
        "height": "number",
        "weight": "number",
        "children": "integer",
        "colour": "category",
        "smoker": "boolean",
    }
    assert (found.schema.id, found.schema.label) == ("name", "sick")
    assert found.head.num_rows == 20
    assert found.head.column_names == list(patients.columns)
    assert set(found.head.schema.types) == {pa.string()}
    assert found.head["weight"].to_pylist()[:4] == [*map(str, patients["weight"][:3]), None]
    assert not context.store.workspace.exists()


def test_options_change_what_is_seen(context: JobContext, tables: Path, patients: pd.DataFrame) -> None:
    colour = patients["colour"][0]
    options = SchemaOptions({"children": "category"}, drop=("name",), missing=(f"colour={colour}",))
    found = preview(context, str(tables / "patients.parquet"), options)
    assert found.schema.column("children").kind == "category"
    assert found.missing == 5 + (patients["colour"] == colour).sum()
    assert found.schema.column("name").role == "dropped"
    colours = found.head["colour"].to_pylist()
    assert colours == [None if cell == colour or pd.isna(cell) else cell for cell in patients["colour"][:20]]
    assert None not in found.head["name"].to_pylist()


def test_cells_of_any_type_are_shown(context: JobContext, tmp_path: Path) -> None:
    table = {
        "x": pa.array([1.5, np.nan, -999.0]),
        "list": pa.array([[1, 2], None, []]),
        "bytes": pa.array([b"\xff", None, b""]),
        "day": pa.array([0, 1, None], pa.date32()),
        "flag": pa.array([True, None, False]),
        "none": pa.nulls(3),
    }
    pq.write_table(pa.table(table), tmp_path / "odd.parquet")
    found = preview(context, str(tmp_path / "odd.parquet"), SchemaOptions(missing=("-999",)))
    assert found.head.to_pydict() == {
        "x": ["1.5", None, None],
        "list": ["[1, 2]", None, "[]"],
        "bytes": ["b'\\xff'", None, "b''"],
        "day": ["1970-01-01", "1970-01-02", None],
        "flag": ["true", None, "false"],
        "none": [None] * 3,
    }
    assert {column.name for column in found.schema.columns if column.role == "dropped"} == {"list", "bytes", "none"}


def test_errors_are_those_of_a_fit(context: JobContext, tables: Path, tmp_path: Path) -> None:
    source = str(tables / "patients.csv")
    with pytest.raises(SourceError, match=r"absent\.csv"):
        preview(context, str(tmp_path / "absent.csv"), SchemaOptions())
    with pytest.raises(UsageError, match="there is no column 'nmae'; did you mean 'name'"):
        preview(context, source, SchemaOptions(id="nmae"))
    with pytest.raises(SchemaError, match="'colour'"):
        preview(context, source, SchemaOptions({"colour": "number"}))
