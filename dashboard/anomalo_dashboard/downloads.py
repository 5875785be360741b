"""Tables to take away: what is on the disk, byte for byte, or the same table in the other format."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from anomalo_dashboard import data


def as_csv(path: Path) -> bytes:
    """Return the table in a file as CSV; a CSV file as it is."""
    if path.suffix == ".csv":
        return path.read_bytes()
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(_plain(data.read_table(path)), buffer, pyarrow.csv.WriteOptions(quoting_style="needed"))
    return buffer.getvalue()


def as_parquet(path: Path) -> bytes:
    """Return the table in a file as Parquet; a Parquet file as it is."""
    if path.suffix in (".parquet", ".pq"):
        return path.read_bytes()
    buffer = io.BytesIO()
    table = data.read_table(path)
    pq.write_table(table.replace_schema_metadata(None), buffer)  # our reader's notes are no part of the table
    return buffer.getvalue()


def _plain(table: pa.Table) -> pa.Table:
    """Return a table whose columns CSV can hold: no dictionaries."""
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))
