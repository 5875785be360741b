"""Arrow types for the types of SQL, and the reverse."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy
from sqlalchemy.types import TypeEngine

from anomalo.plugin import is_binary

_PLAIN: dict[str, pa.DataType] = {
    **dict.fromkeys(("bool", "boolean"), pa.bool_()),
    **dict.fromkeys(("int2", "int4", "int8", "tinyint", "smallint", "integer", "bigint"), pa.int64()),
    **dict.fromkeys(("oid", "utinyint", "usmallint", "uinteger"), pa.int64()),
    "ubigint": pa.uint64(),
    **dict.fromkeys(("float4", "float8", "float", "double", "numeric"), pa.float64()),
    "date": pa.date32(),
    "time": pa.time64("us"),
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), pa.timestamp("us")),
    **dict.fromkeys(("timestamptz", "timestamp with time zone"), pa.timestamp("us", "UTC")),
    "interval": pa.duration("us"),
    **dict.fromkeys(("bytea", "blob"), pa.binary()),
}
_UNBOUNDED = ("hugeint", "uhugeint", "bignum", "varint")
_MOST_DIGITS = 38


def arrow_type(name: str, precision: int | None = None, scale: int | None = None) -> pa.DataType | None:
    """Return the Arrow type of a database's type; a string for one that has no other.

    A decimal number without a precision is floating-point.

    Returns
    -------
    DataType or None
        None for numbers whose type depends on how large they are.

    Examples
    --------
    >>> [str(arrow_type(name)) for name in ("int4", "DECIMAL(5,2)", "timestamptz", "uuid", "INTEGER[]")]
    ['int64', 'decimal128(5, 2)', 'timestamp[us, tz=UTC]', 'string', 'string']
    """
    name = name.lower()
    if match := re.fullmatch(r"(?:decimal|numeric)\((\d+), ?(\d+)\)", name):
        precision, scale = int(match[1]), int(match[2])
        name = "numeric"
    if name == "numeric" and precision and scale is not None and 0 <= scale <= precision <= _MOST_DIGITS:
        return pa.decimal128(precision, scale)
    return None if name in _UNBOUNDED else _PLAIN.get(name, pa.string())


def types_of(dialect: str, cursor: Any) -> list[pa.DataType | None]:
    """Return the types of the columns of a result; None where only its values show it.

    Parameters
    ----------
    dialect : str
        As SQLAlchemy names it.
    cursor : DBAPI cursor
        Of a statement that has been executed.
    """
    return [_type(dialect, cursor, column) for column in cursor.description]


def _type(dialect: str, cursor: Any, column: Sequence[Any]) -> pa.DataType | None:
    if dialect == "duckdb":
        return arrow_type(str(column[1]))
    if dialect != "postgresql":
        return None
    kind = cursor.connection.adapters.types.get(column[1])
    if kind is None or kind.oid != column[1]:  # an array, or a type of this database alone
        return pa.string()
    return arrow_type(kind.name, column[4], column[5])


def sql_type(kind: pa.DataType, dialect: str) -> TypeEngine[Any]:
    """Return the SQL type of a column; lists and structs are JSON texts.

    Parameters
    ----------
    kind : DataType
        The Arrow type.
    dialect : str
        As SQLAlchemy names it: SQLite has no intervals, which are texts there.
    """
    types = pa.types
    if types.is_decimal(kind):
        return sqlalchemy.Numeric(kind.precision, kind.scale)
    if types.is_uint64(kind):
        return sqlalchemy.Numeric(20, 0)
    if types.is_timestamp(kind):
        return sqlalchemy.DateTime(timezone=kind.tz is not None)
    tests: tuple[tuple[Callable[[pa.DataType], bool], TypeEngine[Any]], ...] = (
        (types.is_boolean, sqlalchemy.Boolean()),
        (types.is_integer, sqlalchemy.BigInteger()),
        (types.is_floating, sqlalchemy.Double()),
        (types.is_date, sqlalchemy.Date()),
        (types.is_time, sqlalchemy.Time()),
        (is_binary, sqlalchemy.LargeBinary()),
        (lambda one: types.is_duration(one) and dialect in ("postgresql", "duckdb"), sqlalchemy.Interval()),
    )
    return next((found for test, found in tests if test(kind)), sqlalchemy.Text())
