"""The hooks that anomalo itself implements: its reader and writer of files, and its encoders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from anomalo.encoding.encoder import Encoder
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.encoding.series_encoder import SeriesEncoder
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.encoding.text_encoder import TextEncoder
from anomalo.registry.hookspecs import hookimpl
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.reader import read
from anomalo.tabular.writing.destination import Destination


@hookimpl
def anomalo_read(source: str, options: ReadOptions | None = None) -> Iterator[pa.RecordBatch] | None:
    """Read a local file, or a folder of files: text, a workbook, Parquet, Arrow or JSON, or images."""
    return read(source, options)


@hookimpl
def anomalo_output(target: str) -> Destination | None:
    """Write a folder of Parquet files."""
    from anomalo.tabular.writing.folder import ParquetFolder

    return ParquetFolder.parse(target)


@hookimpl
def anomalo_encoders() -> Iterable[type[Encoder]]:
    """Offer the encoders of tables, of texts, of images and of series."""
    return [TableEncoder, TextEncoder, ImageEncoder, SeriesEncoder]
