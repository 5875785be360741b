"""What a table looks like before anything is fitted: its columns as they would be understood, and its first rows."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.jobs.context import JobContext
from anomalo.pipeline.cell_tables import text
from anomalo.tabular.parsing import is_plain, whole
from anomalo.tabular.schema import Column, Schema, SchemaOptions, infer, parse

ROWS = 20
"""How many rows are shown."""


@dataclass(frozen=True)
class Preview:
    """A table at a glance.

    Attributes
    ----------
    schema : Schema
        What `fit` would take the columns for, given the same options, and what it would warn of.
    rows : int
        How many rows the table has.
    head : pyarrow.Table
        The first rows, each cell as text; null where it is missing or stands for a missing one.
    holes : int
        How many cells of the whole table that a model would read are missing.
    """

    schema: Schema
    rows: int
    head: pa.Table
    holes: int


def preview(context: JobContext, source: str, options: SchemaOptions) -> Preview:
    """Read a table and tell what it is; nothing is written.

    Raises
    ------
    SourceError
        The table cannot be read or holds nothing to learn from.
    UsageError
        A column does not exist.
    SchemaError
        A column does not hold the kind that was asked for.
    """
    table = context.table(source)
    schema = infer(table, options)
    first = table.slice(0, ROWS)
    head = {column.name: _texts(column, schema, whole(first.column(column.name))) for column in schema.columns}
    holes = sum(_known(column, schema, whole(table.column(column.name))).null_count for column in schema.features)
    return Preview(schema, table.num_rows, pa.table(head), holes)


def _texts(column: Column, schema: Schema, cells: pa.Array) -> pa.Array:
    """Write cells as they are in the table, or null if they are taken for missing."""
    if not is_plain(cells.type):
        return pa.array([None if cell is None else str(cell) for cell in cells.to_pylist()], pa.string())
    written = text(cells)
    if column.role != "feature":
        return written
    return pc.if_else(_known(column, schema, cells).is_valid(), written, None)


def _known(column: Column, schema: Schema, cells: pa.Array) -> pa.Array:
    """Read cells as a model would: null where one is missing."""
    return parse(column, cells, schema.missing, schema.infinite)
