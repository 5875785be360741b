"""Read an Arrow file: Feather, or the stream format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from anomalo.errors import EmptySourceError, SourceError
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.reading.typed import flat_batches, texts_in_bytes


def read_arrow(file: LocalFile, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Yield the batches of an Arrow file, which is mapped to memory.

    Raises
    ------
    SourceError
        It is damaged, of the first version of Feather, or has no rows.
    """
    rows = 0
    try:
        with _opened(file) as (schema, batches):
            texts = texts_in_bytes(schema, lambda names: _selected(file, names))
            for batch in flat_batches(str(file), batches, texts, {}):
                rows += batch.num_rows
                yield batch
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{file} is a damaged or truncated Arrow file: {reason}; write it again") from error
    if rows == 0:
        raise EmptySourceError(f"{file} has no rows")


@contextmanager
def _opened(file: LocalFile) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    with pa.memory_map(str(file.path)) as stored:
        start = stored.read(6)
        stored.seek(0)
        if start.startswith(b"FEA1"):
            raise SourceError(f"{file} is of the first version of Feather; write it again, or as Parquet")
        if start == b"ARROW1":
            reader = pa.ipc.open_file(stored)
            yield reader.schema, (reader.get_batch(at) for at in range(reader.num_record_batches))
        else:
            stream = pa.ipc.open_stream(stored)
            yield stream.schema, iter(stream)


def _selected(file: LocalFile, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with _opened(file) as (_, batches):
        for batch in batches:
            yield batch.select(names)
