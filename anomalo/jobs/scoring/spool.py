"""Rows that wait on disk for a later step of the same job, so that their number takes no memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from anomalo.errors import OutputError


class Spool:
    """Batches in a file, written first and then read from the beginning; the file is only there if any is written.

    Parameters
    ----------
    path : Path
        The file; what is there is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return self._writer is None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch; all have the same columns.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        try:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(str(self._path), batch.schema)
            self._writer.write_batch(batch)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error

    def read(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches; nothing can be appended any more."""
        if self._writer is None:
            return
        self._writer.close()
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as batches:
            yield from batches


class Ascending:
    """Batches whose first column has ascending numbers of rows, taken from the beginning on."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self._next: pa.RecordBatch | None = next(self._batches, None)

    def before(self, row: int) -> list[pa.RecordBatch]:
        """Return what is left of the rows before this one."""
        found = []
        while self._next is not None:
            here = int(self._next.column(0).to_numpy().searchsorted(row))
            if here:
                found.append(self._next.slice(0, here))
            if here < self._next.num_rows:
                self._next = self._next.slice(here)
                break
            self._next = next(self._batches, None)
        return found


def in_slices(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of batches in batches of exactly so many rows, and a last one with the rest."""
    waiting: list[pa.RecordBatch] = []
    missing = rows
    for batch in batches:
        while batch.num_rows >= missing:
            waiting.append(batch.slice(0, missing))
            yield joined(waiting)
            batch, waiting, missing = batch.slice(missing), [], rows
        if batch.num_rows:
            waiting.append(batch)
            missing -= batch.num_rows
    if waiting:
        yield joined(waiting)


def joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Return batches of the same columns as one."""
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
