"""Write tables to files, in a format by suffix; a file appears complete or not at all."""

from __future__ import annotations

import gzip
import shutil
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

import pyarrow as pa

from anomalo.errors import UsageError
from anomalo.persistence.atomic import atomic_file
from anomalo.tabular.column import read_notes
from anomalo.tabular.writing.text import TextFormat
from anomalo.tabular.writing.typed import ArrowFormat, ParquetFormat

PARQUET = (".parquet", ".pq")
_TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
SUFFIXES = (*_TEXT, *PARQUET, ".feather", ".arrow", ".jsonl", ".ndjson", ".xlsx")


def check_suffix(path: Path) -> str:
    """Return the suffix of `path`, which gives its format.

    Raises
    ------
    UsageError
        The name has no known suffix.
    """
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise UsageError(f"cannot infer the format of {path.name!r}; expected a name ending in: {', '.join(SUFFIXES)}")


def copy_file(source: Path, path: Path, owner: str | None = None) -> None:
    """Copy a written file to `path`, which appears whole.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with atomic_file(path, owner) as temporary:
        shutil.copyfile(source, temporary)


class _Format(Protocol):
    def write(self, batch: pa.RecordBatch) -> None: ...


class TableWriter:
    """Write batches to one file, which appears when the `with` block ends without an exception.

    Parameters
    ----------
    path : Path
        The file to write; its suffix gives the format.
    like : Schema, optional
        The Arrow schema to write if there are no batches; the notes of its reader give the separator of a CSV
        file, and the types of strings that were read as dictionaries.
    owner : str, optional
        As in `atomic_file`.
    safe_csv : bool
        Write a CSV file in which a spreadsheet finds no formulas, see `safe_csv.safe`.

    Raises
    ------
    UsageError
        The suffix is not known.
    OutputError
        The file cannot be written.
    """

    def __init__(
        self, path: Path, like: pa.Schema | None = None, owner: str | None = None, *, safe_csv: bool = False
    ) -> None:
        self._path, self._like, self._owner, self._safe = path, like, owner, safe_csv
        self._suffix = check_suffix(path)
        self._stack = ExitStack()
        self._format: _Format | None = None

    def __enter__(self) -> Self:
        self._temporary = self._stack.enter_context(atomic_file(self._path, self._owner))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if error is None and self._format is None:
            with self._stack:
                self._start(pa.schema([]) if self._like is None else self._like)
            return None
        return self._stack.__exit__(kind, error, trace)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch; all have the same columns."""
        schema = batch.schema if self._like is None else batch.schema.with_metadata(self._like.metadata)
        (self._format or self._start(schema)).write(batch)

    def _start(self, schema: pa.Schema) -> _Format:
        self._format = self._text(schema) if self._suffix in _TEXT else self._other(schema)
        return self._format

    def _text(self, schema: pa.Schema) -> _Format:
        notes = read_notes(schema)
        separator = "\t" if self._suffix.startswith(".tsv") else notes.get("separator", ",")
        return TextFormat(self._open(), schema, separator, self._safe)

    def _other(self, schema: pa.Schema) -> _Format:
        if self._suffix in PARQUET:
            return ParquetFormat(self._temporary, schema, self._stack)
        if self._suffix in (".feather", ".arrow"):
            return ArrowFormat(self._temporary, schema, self._stack)
        if self._suffix == ".xlsx":
            from anomalo.tabular.writing.workbook import WorkbookFormat  # openpyxl is slow to import

            return WorkbookFormat(self._temporary, schema, self._stack, self._path.name)
        from anomalo.tabular.writing.json_lines import JsonFormat

        return JsonFormat(self._open(), schema)

    def _open(self) -> BinaryIO:
        file = self._stack.enter_context(self._temporary.open("wb"))
        if not self._suffix.endswith(".gz"):
            return file
        # No name and no time in the file: equal tables are equal bytes.
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0)
        return cast("BinaryIO", self._stack.enter_context(packed))
