"""Write tables to files, CSV or Parquet by suffix; a file appears complete or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from anomalo.errors import UsageError
from anomalo.persistence.atomic import atomic_file
from anomalo.tabular.column import METADATA, read_notes
from anomalo.tabular.formatting import arrow_type
from anomalo.tabular.safe_csv import safe, safe_name

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".pq")


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
        if self._suffix in (".parquet", ".pq"):
            self._format = _Parquet(self._temporary, schema, self._stack)
        else:
            tabs = self._suffix.startswith(".tsv")
            separator = "\t" if tabs else read_notes(schema).get("separator", ",")
            self._format = _Text(self._open(), schema, separator, self._safe)
        return self._format

    def _open(self) -> BinaryIO:
        file = self._stack.enter_context(self._temporary.open("wb"))
        if not self._suffix.endswith(".gz"):
            return file
        # No name and no time in the file: equal tables are equal bytes.
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0)
        return cast("BinaryIO", self._stack.enter_context(packed))


class _Parquet:
    def __init__(self, path: Path, schema: pa.Schema, stack: ExitStack) -> None:
        strings = read_notes(schema).get("strings", {})
        metadata = {key: value for key, value in (schema.metadata or {}).items() if key != METADATA}
        fields = [
            field.with_type(arrow_type(strings[field.name])) if field.name in strings else field for field in schema
        ]
        self._schema = pa.schema(fields, metadata)
        self._writer = stack.enter_context(pq.ParquetWriter(path, self._schema))

    def write(self, batch: pa.RecordBatch) -> None:
        types = zip(batch.schema, self._schema, strict=True)
        if any(old.type != new.type for old, new in types):
            batch = batch.cast(self._schema)
        self._writer.write_batch(batch.replace_schema_metadata(self._schema.metadata))


class _Text:
    def __init__(self, file: BinaryIO, schema: pa.Schema, separator: str, safe_csv: bool) -> None:
        self._file, self._separator, self._safe = file, separator, safe_csv
        self._special = f'["\r\n{separator}]'
        header = io.StringIO()
        csv.writer(header, delimiter=separator, lineterminator="\n").writerow(map(self._name, schema.names))
        file.write(header.getvalue().encode())

    def write(self, batch: pa.RecordBatch) -> None:
        """Quote the cells that need it, join them to lines, and write the lines' bytes without copying them."""
        cells = [self._quoted(self._text(column)) for column in batch.columns]
        if len(cells) == 1:
            # Without quotes an empty cell would be an empty line, which readers skip.
            cells = [pc.if_else(pc.equal(cells[0], ""), '""', cells[0])]
        for lines in _lines(cells, self._separator):
            self._file.write(lines)

    def _name(self, name: str) -> str:
        return safe_name(name) if self._safe else name

    def _text(self, cells: pa.Array) -> pa.StringArray:
        texts = as_text(cells)
        return safe(texts) if self._safe and not pa.types.is_primitive(cells.type) else texts

    def _quoted(self, cells: pa.StringArray) -> pa.StringArray:
        special = pc.match_substring_regex(cells, self._special)
        if not pc.any(special).as_py():
            return cells
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(cells, '"', '""'), '"', "")
        return pc.if_else(special, quoted, cells)


def as_text(cells: pa.Array) -> pa.StringArray:
    """Return cells as a CSV file has them: null is empty, lists and structs are JSON."""
    if pa.types.is_nested(cells.type):
        texts = [
            None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in _listed(cells)
        ]
        return pa.array(texts, pa.string()).fill_null("")
    if pa.types.is_floating(cells.type):
        cells = pc.if_else(pc.is_nan(cells), None, cells)
    return cells.cast(pa.string()).fill_null("")


def _listed(cells: pa.Array) -> list[Any]:
    return cast("list[Any]", cells.to_pylist())


def _lines(cells: list[pa.StringArray], separator: str) -> list[memoryview]:
    if not cells or len(cells[0]) == 0:
        return []
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*cells, separator), "\n", "")
    _, offsets, data = lines.buffers()
    first, last = memoryview(offsets).cast("i")[lines.offset], memoryview(offsets).cast("i")[lines.offset + len(lines)]
    return [memoryview(data)[first:last]]
