"""PostgreSQL's COPY, which reads and writes rows as CSV, many times as fast as one by one."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from sqlalchemy import Connection, CursorResult, Table
from sqlalchemy.exc import DBAPIError

from anomalo.errors import SourceError

_READABLE = frozenset(
    ("bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "bpchar")
    + ("date", "timestamp", "timestamptz")
)
"""The types whose texts are Arrow's as well."""
_WRITABLE: tuple[Callable[[pa.DataType], bool], ...] = (
    *(pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal),
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_date, pa.types.is_timestamp),
)
_BLOCK = 4 * 2**20
"""Bytes of CSV that become a batch."""


def can_copy_out(connection: Connection, result: CursorResult[Any]) -> bool:
    """Whether the rows of a query, whose result shows its types, can be read by COPY."""
    if connection.dialect.driver != "psycopg":
        return False
    cursor: Any = result.cursor
    types = [cursor.connection.adapters.types.get(column[1]) for column in cursor.description]
    return all(
        kind is not None and kind.oid == column[1] and kind.name in _READABLE
        for kind, column in zip(types, cursor.description, strict=True)
    )


def copied_out(connection: Connection, statement: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a query, as batches of the schema.

    Raises
    ------
    SourceError
        A value cannot be held, such as a date before the year 1.
    SQLAlchemyError
        The query fails.
    """
    import psycopg

    driver: Any = connection.connection.driver_connection
    query = f"COPY ({statement.strip().rstrip(';')}\n) TO STDOUT (FORMAT csv, ENCODING 'utf-8')"
    try:
        with driver.cursor() as cursor, cursor.copy(query) as copy:
            for batch in _parsed(copy, schema):
                yield _with_types(batch, schema)
    except pa.ArrowInvalid as error:
        raise SourceError(str(error).splitlines()[0]) from error
    except psycopg.Error as error:
        raise DBAPIError(statement, None, error) from error


def _parsed(copy: Iterable[bytes], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    stream = _Stream(iter(copy))
    if not stream.peek():
        return
    names = [str(at) for at in range(len(schema))]  # those of a query may be equal
    read = [pa.string() if pa.types.is_decimal(kind) else kind for kind in schema.types]
    reader = pa.csv.open_csv(
        pa.PythonFile(stream, mode="r"),
        pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=names),
        pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pa.csv.ConvertOptions(
            column_types=dict(zip(names, read, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    yield from reader


def _with_types(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with its names, and decimal numbers, of which those that are no number are missing."""
    columns = [
        pc.if_else(pc.equal(cells, "NaN"), None, cells).cast(field.type) if pa.types.is_decimal(field.type) else cells
        for field, cells in zip(schema, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class _Stream(io.RawIOBase):
    """The blocks of a COPY as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, b""

    def peek(self) -> bool:
        """Whether anything is left to read."""
        self._rest = self._rest or bytes(next(self._blocks, b""))
        return bool(self._rest)

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return about so many bytes, fewer only at the end."""
        parts, length = [self._rest], len(self._rest)
        while length < size or size < 0:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(bytes(block))
            length += len(parts[-1])
        found = b"".join(parts)
        end = len(found) if size < 0 else size
        self._rest = found[end:]
        return found[:end]


def can_copy_in(connection: Connection, batch: pa.RecordBatch) -> bool:
    """Whether a batch can be written by COPY as CSV."""
    plain = all(any(test(field.type) for test in _WRITABLE) for field in batch.schema)
    return connection.dialect.driver == "psycopg" and plain


def copied_in(connection: Connection, table: Table, batch: pa.RecordBatch) -> None:
    """Insert the rows of a batch within the connection's transaction; what is not a number is a missing cell.

    Raises
    ------
    SQLAlchemyError
        The database refuses one.
    """
    columns = [
        pc.if_else(pc.is_nan(cells), None, cells) if pa.types.is_floating(cells.type) else cells
        for cells in batch.columns
    ]
    text = io.BytesIO()
    options = pa.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    pa.csv.write_csv(pa.RecordBatch.from_arrays(columns, names=[str(at) for at in range(len(columns))]), text, options)
    _copy(connection, table, "(FORMAT csv)", lambda copy: copy.write(text.getbuffer()))


def copied_in_rows(connection: Connection, table: Table, rows: Iterator[list[Any]]) -> None:
    """Insert rows of any values, which the driver writes as texts; raises as `copied_in` does."""

    def write(copy: Any) -> None:
        for row in rows:
            copy.write_row(row)

    _copy(connection, table, "", write)


def _copy(connection: Connection, table: Table, options: str, write: Callable[[Any], object]) -> None:
    import psycopg
    from psycopg import sql

    names = [sql.Identifier(str(column.name)) for column in table.columns]
    target = sql.Identifier(*filter(None, (table.schema, table.name)))
    statement = sql.SQL("COPY {} ({}) FROM STDIN {}").format(target, sql.SQL(", ").join(names), sql.SQL(options))
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            write(copy)
    except psycopg.Error as error:
        raise DBAPIError("COPY", None, error) from error
