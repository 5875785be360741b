"""Codes, ids, texts and tokens: what a column is taken for, what is said, and that what is said works."""

import re
import shlex
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.encoding.table_encoder import TableEncoder
from anomalo.errors import UsageError
from anomalo.tabular.column import Column, SchemaOptions, write_notes
from anomalo.tabular.schema import Schema, infer


def text_table(**columns: list[Any]) -> pa.Table:
    rows = max(map(len, columns.values()))
    columns = {"other": [row % 7 / 2 for row in range(rows)], **columns}
    table = pa.table({name: [None if cell is None else str(cell) for cell in cells] for name, cells in columns.items()})
    return table.replace_schema_metadata(write_notes(table.schema, {"text": True, "separator": ","}).metadata)


def column_of(name: str, cells: list[Any]) -> Column:
    return infer(text_table(**{name: cells})).column(name)


def options_in(warning: str) -> list[tuple[str, str]]:
    """Return the options that a warning names, as a shell reads them."""
    parts = shlex.split(re.sub(r"[();:]", " ", " ".join(re.findall(r"--\w+ (?:'(?:[^']|'\"'\"')*')", warning))))
    return list(zip(parts[::2], parts[1::2], strict=True))


def applied(options: list[tuple[str, str]]) -> SchemaOptions:
    kinds = dict(value.rpartition("=")[::2] for flag, value in options if flag == "--kind")
    lists = {
        name: tuple(value for flag, value in options if flag == f"--{name}") for name in ("missing", "keep", "drop")
    }
    return SchemaOptions(kinds, **lists)


CODES = [4, 13, 68, 107, 140, 163, 236, 263] * 25
UNIQUE = [int(value) for value in np.random.default_rng(0).permutation(10_000)[:200]]


@pytest.mark.parametrize(
    "name",
    ["zone_id", "zoneId", "ZIP", "zip code", "postal_code", "Status", "product-class", "room_type", "blood category"]
    + ["zone", "plz", "HTTP status", "sensorID", "PhoneNumber", "phone", "house no"],
)
def test_whole_numbers_whose_name_says_code_are_a_category(name: str) -> None:
    for table in (text_table(**{name: CODES}), pa.table({name: CODES, "x": [row % 7 / 2 for row in range(200)]})):
        schema = infer(table)
        assert schema.column(name).kind == "category"
        assert schema.column(name).why.startswith("codes: the name says")
        (warning,) = schema.warnings
        assert f"--kind '{name}=integer'" in warning
        again = infer(table, applied(options_in(warning)))
        assert (again.column(name).kind, again.warnings) == ("integer", ())


@pytest.mark.parametrize(
    "name",
    ["visits", "type_count", "age", "number of classes", "idle", "zones", "code_length", "number", "education-num"],
)
def test_other_whole_numbers_are_numbers(name: str) -> None:
    assert column_of(name, CODES).kind == "integer"


def test_measures_are_no_codes() -> None:
    assert column_of("class", [row % 9 - 4 for row in range(100)]).kind == "integer"  # codes are not negative
    assert column_of("zone_id", [row % 9 / 2 for row in range(100)]).kind == "number"


@pytest.mark.parametrize("name", ["customer_id", "orderId", "zip", "code"])
def test_different_codes_are_identifiers(name: str) -> None:
    for table in (text_table(**{name: UNIQUE}), pa.table({name: UNIQUE, "x": [row % 7 / 2 for row in range(200)]})):
        column = infer(table).column(name)
        assert (column.kind, column.role) == ("identifier", "dropped")
    assert column_of("amount", UNIQUE).kind == "integer"


def test_few_numbers_with_gaps_are_hinted() -> None:
    schema = infer(text_table(x=[1, 2, 5, 9] * 25))
    assert schema.column("x").kind == "integer"
    assert "if they are codes, give --kind 'x=category'" in schema.warnings[0]
    for values in ([4, 6, 8], [0, 1, 2, 3, 4], [0, 5, 10, 15], [1, 2, 4, 8, 16], [1, 10, 100, 1000, 10000]):
        assert not infer(text_table(x=values * 25)).warnings, values


NAMES = [
    f"{first} {last}" for first in ("Ann", "Bo", "Cy", "Di", "Ed") for last in ("Hill", "Lake", "Moor", "Wood", "Sea")
]


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("customer", NAMES, "text"),
        ("city", [f"{name.replace(' ', '')}ville" for name in NAMES], "text"),
        ("note", [f"seen on day {row} and again" for row in range(30)], "text"),
        ("mail", [f"{name.replace(' ', '.')}@example.org" for name in NAMES], "text"),
        ("link", [f"https://example.org/{name.replace(' ', '/')}" for name in NAMES], "text"),
        ("name_id", NAMES, "identifier"),
        ("x", [str(uuid.UUID(int=row * 7919)) for row in range(30)], "identifier"),
        ("x", [f"{row * 2654435761 % 2**64:016x}" for row in range(1, 31)], "identifier"),
        ("x", [f"user-{row}" for row in range(30)], "identifier"),
        ("x", [f"AB{row:04d}XY" for row in range(0, 300, 10)], "identifier"),
        ("x", [f"{row:03d}-{row * 7:04d}" for row in range(30)], "identifier"),
    ],
)
def test_texts_that_are_all_different(name: str, cells: list[str], kind: str) -> None:
    schema = infer(text_table(**{name: cells}))
    column = schema.column(name)
    assert (column.kind, column.role) == (kind, "dropped")
    assert column.why
    again = infer(text_table(**{name: cells}), applied(options_in(schema.warnings[0])))
    assert (again.column(name).kind, again.column(name).role) == ("category", "feature")


def test_in_typed_sources_only_null_and_nan_are_missing() -> None:
    cells = ["NA", "EU", "APAC", None, "None", "-", "?", ""] * 10
    frame = pd.DataFrame({"region": pd.Series(cells, dtype=object), "v": np.arange(80) % 7 / 2})
    table = pa.Table.from_pandas(frame)
    schema = infer(table)
    assert not schema.warnings
    columns = schema.parse(table)
    assert columns.values["region"].expand().to_pylist() == cells  # type: ignore[union-attr]
    encoder = TableEncoder().fit(columns, schema)
    data = encoder.encode(columns)
    batch = table.combine_chunks().to_batches()[0]
    filled = encoder.fill(batch, np.full_like(data.values, 2.0), ~data.observed)
    assert [cell for cell, was in zip(filled["region"].to_pylist(), cells, strict=True) if was is not None] == [
        cell for cell in cells if cell is not None
    ]


def test_the_levels_of_a_typed_column_are_levels_in_a_text_file_too() -> None:
    schema = infer(pa.table({"region": ["NA", "EU", "APAC"] * 10, "v": [row % 7 / 2 for row in range(30)]}))
    read = schema.parse(text_table(region=["NA", "", "?", "EU"], v=[1, 2, 3, 4])).values["region"]
    assert read.expand().to_pylist() == ["NA", None, None, "EU"]  # type: ignore[union-attr]
    assert Schema.from_json(schema.to_json()) == schema


def test_tokens_are_told_with_their_counts() -> None:
    schema = infer(text_table(x=[1, 2, "NA", "?", "NA", ""] * 5, c=["a", "b", "", "b", "a", "a"] * 5))
    assert schema.tokens == {"x": {"NA": 10, "?": 5, "": 5}, "c": {"": 5}}
    assert Schema.from_json(schema.to_json()) == schema
    assert not schema.warnings


@pytest.mark.parametrize(
    ("cells", "token"),
    [
        (["EU", "US", "NA", "AS"], "NA"),
        (["low", "high", "-", "low"], "-"),
        (["low", "high", "?", "low"], "?"),
        (["good", "None", "bad", "bad"], "None"),
    ],
)
def test_tokens_that_may_be_levels_are_said_with_the_option_that_keeps_them(cells: list[str], token: str) -> None:
    table = text_table(region=cells * 6)
    schema = infer(table)
    assert schema.warnings == (
        f"column 'region': 6 cells {token!r} are taken as missing; --keep 'region={token}' keeps them as a value",
    )
    again = infer(table, applied(options_in(schema.warnings[0])))
    assert not again.warnings
    assert again.parse(table).values["region"].expand().to_pylist() == cells * 6  # type: ignore[union-attr]
    asked = infer(table, SchemaOptions(missing=(f"region={token}",)))
    assert not asked.warnings


def test_plain_tokens_are_not_said() -> None:
    assert not infer(text_table(c=["low", "high", "NA", "low", "", "N/A", "null"] * 6)).warnings


def test_an_equals_sign_in_a_name() -> None:
    table = text_table(**{"a=b": [0, 1] * 30, "a": ["x", "NA", "y"] * 20})
    schema = infer(table, SchemaOptions({"a=b": "category"}, missing=("a=b=0",), keep=("a=NA",)))
    assert schema.column("a=b").kind == "category"
    parsed = schema.parse(table).values
    assert parsed["a=b"].expand().to_pylist()[:2] == [None, "1"]  # type: ignore[union-attr]
    assert parsed["a"].expand().to_pylist()[:3] == ["x", "NA", "y"]  # type: ignore[union-attr]


def test_texts_of_a_typed_source_that_are_numbers_are_said() -> None:
    for cells, kind in (
        ([str(row % 9 / 2) for row in range(60)], "number"),
        ([str(row % 9) for row in range(59)] + ["broken"], "integer"),
        ([f"${row},000" for row in range(60)], "number"),
        ([f"2019-{row % 12 + 1:02d}-01" for row in range(60)], "datetime"),
    ):
        table = pa.table({"x": pa.array(cells, pa.large_string()), "y": [row % 7 / 2 for row in range(60)]})
        schema = infer(table)
        assert schema.column("x").kind in ("category", "identifier", "text")
        (warning,) = [line for line in schema.warnings if "reads them" in line]
        assert f"--kind 'x={kind}'" in warning
        again = infer(table, applied(options_in(warning)))
        assert (again.column("x").kind, again.column("x").role) == (kind, "feature")
        parsed = again.parse(table)
        assert np.isfinite(parsed.values["x"]).sum() >= 59  # type: ignore[call-overload, union-attr]
        assert parsed.unreadable.keys() == ({"x"} if "broken" in cells else set())
    assert not infer(pa.table({"x": ["a", "b", "c"] * 9, "y": [1, 2, 4] * 9})).warnings


def test_what_no_option_can_keep_has_no_hint() -> None:
    table = pa.table({"city": pa.array([b"a", b"b"] * 30), "y": [row % 7 / 2 for row in range(60)]})
    (warning,) = infer(table).warnings
    assert "turn them into numbers or texts first" in warning
    assert "--" not in warning
    with pytest.raises(UsageError, match=r"leave it out \(--drop 'city'\)") as caught:
        infer(table, SchemaOptions({"city": "category"}))
    assert infer(table, applied(options_in(str(caught.value)))).column("city").role == "dropped"


QUOTED = "it's a=name"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([str(row % 17) for row in range(40)] + ["n/k"], "integer"),
        (["EU", "US", "NA", "AS"] * 6, "category"),
        ([1, 2, 5, 9] * 25, "category"),
        ([str(row % 60) for row in range(300)] + ["-999"] * 3, "integer"),
        (NAMES, "category"),
        ([f"2019-01-{row % 28 + 1:02d}" for row in range(60)] + ["1900-01-01"] * 2, "datetime"),
    ],
)
def test_every_hint_works_also_where_a_name_needs_quotes(cells: list[Any], kind: str) -> None:
    table = text_table(**{QUOTED: cells})
    schema = infer(table)
    (warning,) = schema.warnings
    found = options_in(warning)
    assert found
    again = infer(table, applied(found))
    assert (again.column(QUOTED).kind, again.warnings) == (kind, ())


def test_every_kind_says_why() -> None:
    table = text_table(
        whole=[row % 5 for row in range(60)],
        share=[f"{row % 9}%" for row in range(60)],
        day=[f"2019-01-{row % 28 + 1:02d}" for row in range(60)],
        flag=["y", "n"] * 30,
        level=["a", "b", "c"] * 20,
        same=["7"] * 60,
        gone=[""] * 60,
        row=list(range(60)),
    )
    why = {column.name: column.why for column in infer(table, SchemaOptions({"level": "category"})).columns}
    assert why == {
        "other": "all 60 texts are numbers",
        "whole": "all 60 texts are whole numbers",
        "share": "all 60 texts are numbers with '%'",
        "day": "dates such as 2019-01-01 (%Y-%m-%d)",
        "flag": "two texts, n and y",
        "level": "given by the user",
        "same": "all cells are equal",
        "gone": "every cell is missing",
        "row": "whole numbers that count the rows",
    }
