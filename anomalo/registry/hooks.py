"""The hooks that anomalo itself implements: its reader of files and its encoder of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from anomalo.encoding.encoder import Encoder
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.registry.hookspecs import hookimpl
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.reader import read


@hookimpl
def anomalo_read(source: str, options: ReadOptions | None = None) -> Iterator[pa.RecordBatch] | None:
    """Read a local file: text, a workbook, Parquet, Arrow or JSON."""
    return read(source, options)


@hookimpl
def anomalo_encoders() -> Iterable[type[Encoder]]:
    """Offer the encoder of tables."""
    return [TableEncoder]
