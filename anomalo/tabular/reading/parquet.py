"""Read a Parquet file, by its types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from anomalo.errors import EmptySourceError, SourceError
from anomalo.tabular.cells import is_string
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.batches import BATCH
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.reading.typed import flat_batches, texts_in_bytes

BUFFER = 1 << 17
"""Bytes of a column that are read at a time."""


def read_parquet(file: LocalFile, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a Parquet file.

    Raises
    ------
    SourceError
        It is damaged, or has no rows.
    """
    try:
        with _opened(file) as opened:
            schema, metadata = opened.schema_arrow, opened.metadata
            if metadata.num_rows == 0 or not schema.names:
                raise EmptySourceError(f"{file} has no rows")
            texts = texts_in_bytes(schema, lambda names: opened.iter_batches(BATCH, columns=names))
        plain = _without_dictionary(metadata)
        strings = {
            field.name: str(field.type)
            for field in schema
            if is_string(field.type) and field.name not in plain and schema.names.count(field.name) == 1
        }
        # Strings arrive as dictionaries, so that each distinct one is handled once a batch.
        with _opened(file, strings) as opened:
            yield from flat_batches(str(file), opened.iter_batches(BATCH), texts, {"strings": strings})
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{file} is a damaged or truncated Parquet file: {reason}; write it again") from error


def _opened(file: LocalFile, strings: Iterable[str] = ()) -> pq.ParquetFile:
    # Neither pre_buffer nor a mapped file: either would hold all of it in memory.
    return pq.ParquetFile(file.path, buffer_size=BUFFER, pre_buffer=False, read_dictionary=list(strings))


def _without_dictionary(metadata: pq.FileMetaData) -> set[str]:
    """Return the columns that Arrow cannot read as dictionaries, because of how they are encoded."""
    chunks = (
        metadata.row_group(group).column(at)
        for group in range(metadata.num_row_groups)
        for at in range(metadata.num_columns)
    )
    return {chunk.path_in_schema for chunk in chunks if any(name.startswith("DELTA") for name in chunk.encodings)}
