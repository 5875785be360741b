"""The cells that a run of `impute`, `repair` or `clean` suggests to change, all in one form."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from anomalo.errors import UsageError
from anomalo.workspace.records import RunRecord

FILES = {"impute": "fills.parquet", "repair": "repairs.parquet", "clean": "cells.parquet"}
"""Where a run has its suggestions, by its verb."""
SUGGESTIONS = pa.schema(
    [
        ("row", pa.int64()),
        ("column", pa.dictionary(pa.int32(), pa.string())),
        ("before", pa.string()),
        ("after", pa.string()),
        ("offered", pa.bool_()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("probability", pa.float64()),
        ("score_before", pa.float64()),
        ("score_after", pa.float64()),
        ("reason", pa.string()),
    ]
)
"""`before` and `after` are null for a missing cell; `offered` is false where a run suspects a cell, and has no value.

`probability` is that of the value being right. What a run does not say is null.
"""


def suggestions_of(run: RunRecord) -> pa.Table:
    """Return the suggestions of a run, as `SUGGESTIONS` has them; the id is the second column where rows have one.

    A line is known by its position, which never changes.

    Raises
    ------
    UsageError
        The run suggests nothing.
    OSError, pyarrow.ArrowException
        The run's file is missing or damaged.
    """
    verb = run.verb
    if verb not in FILES:
        raise UsageError(f"a run of {verb} suggests no cells; expected one of {', '.join(FILES)}")
    table = pq.read_table(run.path / FILES[verb])
    if verb == "impute":
        found = {"after": table["value"], "offered": _all(True, table)}
    elif verb == "repair":
        table = table.filter(table["column"].is_valid())
        found = {"offered": _all(True, table)}
    else:
        found = {
            "before": _filled(table["observed"]),
            "after": _filled(table["suggestion"]),
            "offered": table["suggestion"].is_valid(),
            "probability": table["suggestion_probability"],
        }
    columns = [_column(table, found, field) for field in SUGGESTIONS]
    whole = pa.table(columns, schema=SUGGESTIONS)
    named = id_of(table, verb)
    return (whole if named is None else whole.add_column(1, named, table[named])).combine_chunks()


def id_of(table: pa.Table, verb: str = "") -> str | None:
    """Return the name of the column that names the rows; None if there is none."""
    second = table.column_names[1]
    return None if verb == "clean" or second == "column" else second


def _column(table: pa.Table, found: dict[str, pa.ChunkedArray], field: pa.Field) -> pa.ChunkedArray:
    if field.name in found:
        return found[field.name]
    if field.name not in table.column_names:
        return pa.chunked_array([pa.nulls(len(table), field.type)])
    column = table[field.name]
    return column.dictionary_encode().unify_dictionaries() if field.name == "column" else column


def _all(value: bool, table: pa.Table) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(value, len(table))])


def _filled(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts with null for an empty one, which stands for a missing cell."""
    return pc.if_else(pc.equal(texts, ""), None, texts)
