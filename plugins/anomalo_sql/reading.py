"""Read a table or the result of a query, batch by batch."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy
from sqlalchemy import Connection, CursorResult

from anomalo.errors import EmptySourceError, SourceError, did_you_mean
from anomalo.plugin import BATCH, Kinds, flat_batches, to_array
from anomalo_sql.address import SqlAddress
from anomalo_sql.connections import reading
from anomalo_sql.copying import can_copy_out, copied_out
from anomalo_sql.types import types_of

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


def read_sql(address: SqlAddress) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a table or a query, in the order in which the database gives its rows.

    The database keeps the result where it has cursors for it; here is one batch at a time. The types are those of the
    database. Where it has none, as SQLite, the result is read twice: for the types of the values, then for the rows.

    Raises
    ------
    SourceError
        The database cannot be reached, there is no such table, the query fails, or the result has no rows.
    """
    with reading(address) as connection:
        result = _executed(connection, address)
        names = list(result.keys())
        types = types_of(connection.dialect.name, result.cursor)
        texts: list[int] = []
        if None in types:
            types, texts = _from_values(result, types)
            result = _executed(connection, address)
        schema = pa.schema(list(zip(names, types, strict=True)))
        notes = {"text_columns": [names[at] for at in texts]} if texts else {}
        if can_copy_out(connection, result):
            result.close()
            batches = _copied(connection, address, schema)
        else:
            batches = _batches(address, result, schema, texts)
        rows = 0
        for batch in flat_batches(str(address), batches, (), notes):
            rows += batch.num_rows
            yield batch
    if rows == 0:
        raise EmptySourceError(f"{address} has no rows")


def _statement(connection: Connection, address: SqlAddress) -> str:
    """Return the query, or one for the whole table."""
    if address.is_query:
        return address.what
    statement = sqlalchemy.select(sqlalchemy.text("*")).select_from(_table(connection, address))
    return str(statement.compile(dialect=connection.dialect)).replace("%%", "%")  # there are no parameters


def _copied(connection: Connection, address: SqlAddress, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    try:
        yield from copied_out(connection, _statement(connection, address), schema)
    except SourceError as error:
        raise SourceError(f"{address}: {error}") from error


def _executed(connection: Connection, address: SqlAddress) -> CursorResult[Any]:
    options = {"stream_results": True, "max_row_buffer": BATCH}
    if not address.is_query:
        statement = sqlalchemy.select(sqlalchemy.text("*")).select_from(_table(connection, address))
        return connection.execute(statement, execution_options=options)
    # As it is: "%" and ":name" are the database's to read.
    result = connection.exec_driver_sql(address.what, execution_options={**options, "no_parameters": True})
    if not result.returns_rows:
        raise SourceError(f"{address}: the query gives no rows to read; expected one such as select")
    return result


def _table(connection: Connection, address: SqlAddress) -> sqlalchemy.TableClause:
    """Return the table of a name, or of a schema and a name with a point between them."""
    inspector = sqlalchemy.inspect(connection)
    if inspector.has_table(address.what):
        return sqlalchemy.table(address.what)
    schema, _, name = address.what.partition(".")
    if name and inspector.has_table(name, schema):
        return sqlalchemy.table(name, schema=schema)
    known = [*inspector.get_table_names(), *inspector.get_view_names()]
    listed = ", ".join(known[:10]) + (", …" if known[10:] else "") or "none"
    raise SourceError(
        f"{address}: there is no such table{did_you_mean(address.what, known) or f'; the tables are: {listed}'}"
    )


def _from_values(result: CursorResult[Any], types: Sequence[pa.DataType | None]) -> tuple[list[pa.DataType], list[int]]:
    """Return the types of columns by their values, and the positions of those with texts that may be anything."""
    kinds, dated = [Kinds() for _ in types], [True] * len(types)
    for rows in result.partitions(BATCH):
        for at, values in enumerate(zip(*rows, strict=True)):
            plain = [_plain(value) for value in values]
            kinds[at].see(plain)
            dated[at] = dated[at] and all(_DATE.fullmatch(value) for value in plain if isinstance(value, str))
    found = [kind.type if given is None else given for given, kind in zip(types, kinds, strict=True)]
    texts = [
        at
        for at, (given, kind) in enumerate(zip(types, kinds, strict=True))
        if given is None and kind.type == pa.string() and (kind.mixed or dated[at])
    ]
    return found, texts


def _batches(
    address: SqlAddress, result: CursorResult[Any], schema: pa.Schema, texts: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    for rows in result.partitions(BATCH):
        columns = []
        for at, (field, values) in enumerate(zip(schema, zip(*rows, strict=True), strict=True)):
            plain = _plain if _loose(field.type) else _finite
            try:
                cells = to_array([plain(value) for value in values], field.type)
            except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
                reason = str(error).splitlines()[0]
                raise SourceError(f"{address}, column {field.name!r}: not {field.type}: {reason}") from error
            columns.append(cells.fill_null("") if at in texts else cells)
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _loose(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _finite(value: Any) -> Any:
    """Return a value, or None for a decimal that is no number."""
    return None if isinstance(value, decimal.Decimal) and not value.is_finite() else value


def _plain(value: Any) -> Any:
    """Return a value of a kind that columns are made of: decimals are numbers, bytes are texts."""
    if value is None or isinstance(value, str | bool | int | float | list | dict | datetime.date | datetime.timedelta):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return value if isinstance(value, datetime.time) else str(value)
