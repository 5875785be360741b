"""The hooks that anomalo itself implements: its reader of files and its encoder of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from anomalo.encoding.encoder import Encoder
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.registry.hookspecs import hookimpl
from anomalo.tabular import readers


@hookimpl
def anomalo_read(source: str) -> Iterator[pa.RecordBatch] | None:
    """Read a local CSV or Parquet file."""
    return readers.read(source)


@hookimpl
def anomalo_encoders() -> Iterable[type[Encoder]]:
    """Offer the encoder of tables."""
    return [TableEncoder]
