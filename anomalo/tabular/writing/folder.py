"""Write a table as a folder of Parquet files, partitioned by columns as Hive does; it appears whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from anomalo.errors import OutputError, UsageError
from anomalo.persistence.atomic import atomic_folder, require_writable
from anomalo.tabular.writing.destination import Delivery, Sink, Written
from anomalo.tabular.writing.typed import Typed

ROWS = 1 << 20
"""Rows that are kept until they are written, to one file for each partition."""
_FOLDER = re.compile(r"(?P<path>.+)/(?:\?by=(?P<by>.+))?", re.DOTALL)


@dataclass(frozen=True)
class ParquetFolder:
    """A folder of Parquet files to write.

    Attributes
    ----------
    path : Path
        The folder, which does not exist yet.
    by : tuple of str
        The columns whose values name folders, the outermost first.
    delivery : Delivery, optional
        The job that writes it: a file of the folder notes it until it is recorded.
    """

    path: Path
    by: tuple[str, ...]
    delivery: Delivery | None = None

    @classmethod
    def parse(cls, target: str) -> ParquetFolder | None:
        """Return the folder that a text names by a slash at its end, perhaps with `?by=COLUMN,COLUMN`; else None."""
        match = None if "://" in target else _FOLDER.fullmatch(target)
        return match and cls(Path(match["path"]), tuple(filter(None, (match["by"] or "").split(","))))

    def check(self) -> None:
        """Check that it can be written.

        Raises
        ------
        OutputError
            It exists, or the folder above cannot be written.
        """
        if self._is_written():
            return
        if self.path.exists():
            raise OutputError(f"cannot write {self.path}/: it exists already; give the name of a new folder")
        require_writable(self.path)

    @contextmanager
    def writer(self, like: pa.Schema | None) -> Iterator[Sink]:
        """Yield a writer; the folder appears at the end of the block.

        Raises
        ------
        OutputError
            It exists, or cannot be written.
        UsageError
            There is no such column to partition by, or no other.
        """
        if self._is_written():
            yield Written()
            return
        with atomic_folder(self.path) as folder:
            files = _Files(folder, self.by, like)
            yield files
            files.flush()
            if not files.written:
                pq.write_table(Typed(like or pa.schema([])).schema.empty_table(), folder / "part-00000.parquet")
            if self.delivery is not None:
                self._note(folder).touch()

    def once(self, delivery: Delivery) -> ParquetFolder:
        """Return the output for a job."""
        return replace(self, delivery=delivery)

    def forget(self) -> None:
        """Remove the note of the job; raises OutputError if it cannot be."""
        try:
            self._note(self.path).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error

    def _is_written(self) -> bool:
        return self.delivery is not None and self.delivery.resumed and self._note(self.path).exists()

    def _note(self, folder: Path) -> Path:
        assert self.delivery is not None, "only a job has a note"
        return folder / f".job-{self.delivery.job}"


class _Files:
    """Collects batches, and writes them to files whose names follow the order of rows."""

    def __init__(self, folder: Path, by: tuple[str, ...], like: pa.Schema | None) -> None:
        self._folder, self._by, self._like = folder, by, like
        self._batches: list[pa.RecordBatch] = []
        self.written = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        absent = [name for name in self._by if name not in batch.schema.names]
        if absent or len(set(self._by)) >= batch.num_columns:
            what = f"there is no column {absent[0]!r} to partition by" if absent else "no column is left in the files"
            raise UsageError(f"{what}; the columns are: {', '.join(batch.schema.names)}")
        if self._like is not None:
            batch = batch.replace_schema_metadata(self._like.metadata)
        self._batches.append(Typed(batch.schema).cast(batch))
        if sum(map(len, self._batches)) >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        batches = [batch for batch in self._batches if len(batch)]
        self._batches = []
        if not batches:
            return
        name = f"part-{self.written:05}"
        table = pa.Table.from_batches(batches)
        if self._by:
            pq.write_to_dataset(
                table, self._folder, partition_cols=list(self._by), basename_template=name + "-{i}.parquet"
            )
        else:
            pq.write_table(table, self._folder / f"{name}.parquet")
        self.written += 1
