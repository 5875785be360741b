"""A copy of a source's rows on disk, for a fit that reads them several times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from anomalo.errors import OutputError

PACKING = "lz4"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the disk into one of ours.

    Raises
    ------
    OutputError
        A file cannot be written, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; a table that does not fit into memory needs space there"
        ) from error


@dataclass
class Spool:
    """The rows of a source, as it yielded them: every pass sees the same ones, also where the source changes.

    An Arrow stream, since the batches of a text file may each have dictionaries of their own.

    Parameters
    ----------
    path : Path
        The file to write.
    """

    path: Path
    rows: int = field(default=0, init=False)
    _open: ExitStack = field(default_factory=ExitStack, init=False)
    _writer: pa.ipc.RecordBatchStreamWriter | None = field(default=None, init=False)

    def add(self, batch: pa.RecordBatch) -> None:
        """Write a batch; raises OutputError as `writing` does."""
        with writing(self.path):
            if self._writer is None:
                file = self._open.enter_context(pa.OSFile(str(self.path), "wb"))
                options = pa.ipc.IpcWriteOptions(compression=PACKING)
                self._writer = self._open.enter_context(pa.ipc.new_stream(file, batch.schema, options=options))
            self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def close(self) -> None:
        """End the file; raises OutputError as `writing` does."""
        with writing(self.path):
            self._open.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches that were written."""
        with pa.OSFile(str(self.path), "rb") as file:
            yield from pa.ipc.open_stream(file)
