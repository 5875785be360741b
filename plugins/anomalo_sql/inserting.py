"""Insert rows in the way that each database is quick at; what is inserted is the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy
from sqlalchemy import Connection, Table

from anomalo_sql.copying import can_copy_in, copied_in, copied_in_rows

_ROWS = 10_000


def insert(connection: Connection, table: Table, batch: pa.RecordBatch) -> None:
    """Insert the rows of a batch, within the connection's transaction.

    Parameters
    ----------
    connection : Connection
        Of any database.
    table : Table
        Its columns have the keys c0, c1, … in the batch's order.
    batch : RecordBatch [n]
        The rows.

    Raises
    ------
    SQLAlchemyError
        The database refuses one.
    """
    driver = connection.dialect.driver
    if connection.dialect.name == "duckdb":
        _insert_arrow(connection, table, batch)
    elif can_copy_in(connection, batch):
        copied_in(connection, table, batch)
    elif driver == "psycopg":
        copied_in_rows(connection, table, _rows(batch, connection.dialect.name))
    else:
        for start in range(0, batch.num_rows, _ROWS):
            rows = _rows(batch.slice(start, _ROWS), connection.dialect.name)
            connection.execute(table.insert(), [{f"c{at}": cell for at, cell in enumerate(row)} for row in rows])


def _rows(batch: pa.RecordBatch, dialect: str) -> Iterator[list[Any]]:
    """Yield the rows as values that a driver takes."""
    convert = [_converter(field.type, dialect) for field in batch.schema]
    columns = [column.to_pylist() for column in batch.columns]
    for row in zip(*columns, strict=True):
        yield [change(value) for change, value in zip(convert, row, strict=True)]


def _insert_arrow(connection: Connection, table: Table, batch: pa.RecordBatch) -> None:
    """Insert a batch as DuckDB reads it in place: it has no quick way for rows of Python values."""
    view = "anomalo_rows"
    cells = [_storable(column) for column in batch.columns]
    driver: Any = connection.connection.driver_connection
    driver.register(view, pa.table(cells, names=[f"c{at}" for at in range(len(cells))]))
    names: list[sqlalchemy.ColumnClause[Any]] = [sqlalchemy.column(f"c{at}") for at in range(len(cells))]
    rows = sqlalchemy.select(*names).select_from(sqlalchemy.table(view))
    connection.execute(table.insert().from_select(list(table.columns.keys()), rows))
    driver.unregister(view)


def _storable(cells: pa.Array) -> pa.Array:
    if pa.types.is_nested(cells.type):
        return pa.array([_json(value) for value in cells.to_pylist()], pa.string())
    return pc.if_else(pc.is_nan(cells), None, cells) if pa.types.is_floating(cells.type) else cells


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _converter(kind: pa.DataType, dialect: str) -> Callable[[Any], Any]:
    """Return what makes a value of a type one that a driver takes; not a number is a missing cell."""
    if pa.types.is_nested(kind):
        return _json
    if pa.types.is_duration(kind) and dialect == "sqlite":
        return lambda value: None if value is None else str(value)
    if pa.types.is_floating(kind):
        return lambda value: None if value != value else value
    return lambda value: value
