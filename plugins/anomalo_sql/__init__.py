"""SQL databases as sources and outputs, by SQLAlchemy: `URL::table` or `URL::query`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from anomalo.plugin import hookimpl
from anomalo_sql.address import SqlAddress

if TYPE_CHECKING:
    import pyarrow as pa

    from anomalo_sql.writing import SqlTable


@hookimpl
def anomalo_read(source: str) -> "Iterator[pa.RecordBatch] | None":
    """Read a table or the result of a query, in batches."""
    address = SqlAddress.parse(source)
    if address is None:
        return None
    from anomalo_sql.reading import read_sql

    return read_sql(address)


@hookimpl
def anomalo_output(target: str) -> "SqlTable | None":
    """Write a table, in one transaction."""
    if "://" not in target:
        return None
    from anomalo_sql.writing import SqlTable

    return SqlTable.parse(target)
