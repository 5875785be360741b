"""Preview a table before anything is fitted: the inferred columns and the first rows."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.errors import SourceError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.describing.column_facts import ColumnFacts, column_facts
from anomalo.pipeline.explaining.expected_cells import text
from anomalo.tabular.cells import is_plain, whole
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.parsing import as_array
from anomalo.tabular.schema import Column, Schema, SchemaOptions, infer, parse

ROWS = 20
"""How many rows are shown."""
READ_ROWS, READ_BYTES = 10_000, 1 << 25
"""No more than these rows and bytes are read, but at least one batch of the reader's."""
COLUMNS = 1000
"""The most columns of a table that is shown: the kinds of more take long to infer, and are not checked one by one."""


@dataclass(frozen=True)
class Preview:
    """The inferred columns, the size and the first rows of a table.

    Attributes
    ----------
    schema : Schema
        The columns as `fit` would infer them with the same options, and its warnings.
    rows : int
        How many rows were read.
    complete : bool
        Whether these are all rows of the table; else they are its first ones.
    head : pyarrow.Table
        The first rows, each cell as text; null where it is missing or stands for a missing one.
    missing : int
        How many of the cells that a model would read are missing, in the rows that were read.
    facts : tuple of ColumnFacts
        The columns at a glance, in the rows that were read.
    """

    schema: Schema
    rows: int
    complete: bool
    head: pa.Table
    missing: int
    facts: tuple[ColumnFacts, ...]


def preview(context: JobContext, source: str, options: SchemaOptions) -> Preview:
    """Read the first rows of a table, infer its columns and count its missing cells; nothing is written.

    Raises
    ------
    SourceError
        The table cannot be read or holds nothing to learn from.
    UsageError
        A column does not exist, or there are more than `COLUMNS`.
    SchemaError
        A column does not hold the kind that was asked for.
    """
    table, complete = _first_rows(context, source)
    if table.num_columns > COLUMNS:
        raise UsageError(
            f"{source} has {table.num_columns:,} columns, and a preview shows at most {COLUMNS:,}: use the command "
            "line, such as anomalo scan, or a table with fewer columns"
        )
    read = ParsedTable(table)
    schema = infer(read, options)
    first = table.slice(0, ROWS)
    head = {column.name: _texts(column, schema, whole(first.column(column.name))) for column in schema.columns}
    missing = sum(as_array(values).null_count for values in schema.parse(read).values.values())
    facts = tuple(column_facts(column, schema, read) for column in schema.columns)
    return Preview(schema, table.num_rows, complete, pa.table(head), missing, facts)


def _first_rows(context: JobContext, source: str) -> tuple[pa.Table, bool]:
    """Return the first rows of a table, and whether these are all."""
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in context.read(source):
        if rows >= READ_ROWS or size >= READ_BYTES:
            return pa.Table.from_batches(batches), False
        kept = batch.slice(0, READ_ROWS - rows)
        batches.append(kept)
        rows, size = rows + kept.num_rows, size + kept.nbytes
        if kept.num_rows < batch.num_rows:
            return pa.Table.from_batches(batches), False
    if not batches:
        raise SourceError(f"{source} has no rows; give a table with at least one")
    return pa.Table.from_batches(batches), True


def _texts(column: Column, schema: Schema, cells: pa.Array) -> pa.Array:
    """Return cells as texts, as they are in the table; null where they stand for missing ones."""
    if not is_plain(cells.type):
        return pa.array([None if cell is None else str(cell) for cell in cells.to_pylist()], pa.string())
    written = text(cells)
    if column.role != "feature":
        return written
    return pc.if_else(parse(column, cells, schema.reading).is_valid(), written, None)
