"""Read tables from files: CSV as the text that it is, Parquet by its types; batch by batch."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from anomalo.errors import SourceError
from anomalo.tabular.cells import is_string
from anomalo.tabular.column import read_notes, write_notes
from anomalo.tabular.schema import require_unique

BATCH = 32_768
"""Rows in one batch, at most."""

_TEXT_SUFFIXES = ("", ".csv", ".tsv", ".txt", ".tab", ".psv", ".data", ".dat")
_PARQUET_SUFFIXES = (".parquet", ".pq")
_SEPARATORS = ",;\t|"
_HEAD = 1 << 16  # bytes from which the separator is inferred
_BLOCK = 1 << 23  # bytes parsed at a time; no row may be longer
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


def read(source: str) -> Iterator[pa.RecordBatch] | None:
    """Read a local CSV file (any common separator, gzip, byte order mark) or Parquet file.

    Every call reads from the start. A text file's columns are strings, to the character.

    Raises
    ------
    SourceError
        The file is absent, a folder, empty, header only, not UTF-8, ragged or truncated, or two columns have
        one name.
    """
    if "::" in source or "://" in source:
        return None
    path = Path(source)
    suffix = Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix not in (*_TEXT_SUFFIXES, *_PARQUET_SUFFIXES) and not path.exists():
        return None
    if path.is_dir():
        raise SourceError(f"{source} is a folder; give a CSV or Parquet file")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise SourceError(f"no such file: {source}") from None
    except OSError as error:
        raise SourceError(f"cannot read {source}: {error.strerror or error}") from error
    if not magic:
        raise SourceError(f"{source} is empty; expected a header line and rows")
    if magic == _PARQUET:
        return _read_parquet(path)
    if suffix in _PARQUET_SUFFIXES:
        raise SourceError(f"{source} is not a Parquet file: it does not start with PAR1; name a text file .csv")
    return _read_text(path) if suffix in _TEXT_SUFFIXES else None


def is_text(schema: pa.Schema) -> bool:
    """Whether batches of this Arrow schema come from a text file."""
    return bool(read_notes(schema).get("text"))


class _Head(NamedTuple):
    """The column names and the separator, from the start of a text file."""

    names: list[str]
    separator: str


def _read_text(path: Path) -> Iterator[pa.RecordBatch]:
    head = _sniff(path)
    rows = 0
    try:
        for batch in _text_batches(path, head):
            rows += batch.num_rows
            yield from _slices(batch)
    except (pa.ArrowInvalid, OSError, EOFError, zlib.error) as error:
        raise _diagnose(path, head, error) from error
    if rows == 0:
        raise SourceError(f"{path} has a header but no rows")


def _text_batches(path: Path, head: _Head) -> Iterator[pa.RecordBatch]:
    reader = pyarrow.csv.open_csv(
        _stream(path),
        pyarrow.csv.ReadOptions(column_names=head.names, skip_rows_after_names=1, block_size=_BLOCK),
        pyarrow.csv.ParseOptions(
            delimiter=head.separator,
            newlines_in_values=True,
            # An empty line in a file of one column is an empty cell.
            ignore_empty_lines=len(head.names) > 1,
        ),
        pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(head.names, pa.string()), strings_can_be_null=False),
    )
    schema = write_notes(reader.schema, {"text": True, "separator": head.separator})
    for batch in reader:
        yield batch.replace_schema_metadata(schema.metadata)


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, BATCH):
        yield batch.slice(start, BATCH)


def _stream(path: Path) -> pa.NativeFile:
    """Open a text file as a stream of UTF-8 bytes that Arrow reads without Python.

    Arrow reads ahead in threads of its own, which may outlive a reader that is left early, and the interpreter. If they
    then needed a Python object, the process would abort.
    """
    with _open(path) as file:
        if isinstance(file, io.BytesIO) or _is_padded(path):  # what Arrow cannot decode
            memory = pa.BufferOutputStream()
            memory.write(file.read())
            return pa.BufferReader(memory.getvalue())
        packed = isinstance(file, gzip.GzipFile)
    stored = pa.OSFile(os.fsencode(path))
    return pa.CompressedInputStream(stored, "gzip") if packed else stored


def _is_padded(path: Path) -> bool:
    """Whether zeros follow a gzip file, as on tapes: its own last eight bytes are a checksum and a length."""
    with path.open("rb") as raw:
        if raw.read(2) != _GZIP:
            return False
        raw.seek(-8, os.SEEK_END)
        return raw.read() == bytes(8)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """Open a text file as UTF-8 bytes without a byte order mark, whatever it is stored as."""
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        with gzip.GzipFile(fileobj=raw) if packed else nullcontext(raw) as opened:
            file = cast("BinaryIO", opened)
            start = file.read(3)
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                file = io.BytesIO((start + file.read()).decode("utf-16").encode())
            elif start != codecs.BOM_UTF8:
                file.seek(0)
            yield file


def _sniff(path: Path) -> _Head:
    try:
        with _open(path) as file:
            data = file.read(_HEAD)
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    if b"\0" in data:
        raise SourceError(f"{path} is not a text file; give CSV (UTF-8) or Parquet")
    if not data.strip():
        raise SourceError(f"{path} is empty; expected a header line and rows")
    whole = data if len(data) < _HEAD else data[: data.rfind(b"\n") + 1] or data
    lines = whole.decode("utf-8", errors="replace")
    separator = _separator(lines)
    names = [name.strip() for name in next(csv.reader(io.StringIO(lines, newline=""), delimiter=separator))]
    if any("\ufffd" in name for name in names):
        raise _not_utf8(path)
    require_unique(names, str(path))
    return _Head(names, separator)


def _separator(lines: str) -> str:
    """Return the separator for which most of the first lines have as many fields as the header."""
    best, best_rank = ",", (0.0, 1)
    for separator in _SEPARATORS:
        rows = csv.reader(io.StringIO(lines, newline=""), delimiter=separator)
        widths = [len(row) for row in itertools.islice(rows, 100) if row]
        width = widths[0]
        rank = (sum(w == width for w in widths) / len(widths), width)
        if width > 1 and rank > best_rank:
            best, best_rank = separator, rank
    return best


def _diagnose(path: Path, head: _Head, error: Exception) -> SourceError:
    """Find the cause, slowly, after the fast reader has failed."""
    if not isinstance(error, pa.ArrowInvalid):
        return _unreadable(path, error)
    expected, rows = len(head.names), 0
    try:
        with _open(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
            reader = csv.reader(text, delimiter=head.separator)
            for row in reader:
                rows += 1
                if row and len(row) != expected:
                    return SourceError(
                        f"{path}, line {reader.line_num}: {len(row)} fields, but the header has {expected}; "
                        f"correct the line (separator {head.separator!r})"
                    )
    except UnicodeDecodeError:
        return _not_utf8(path)
    except csv.Error as problem:
        return SourceError(f"{path}, line {reader.line_num}: {problem}")
    if rows <= 1:
        return SourceError(f"{path} has a header but no rows")
    return SourceError(f"cannot read {path}: {error}")


def _not_utf8(path: Path) -> SourceError:
    decoder, position, line = codecs.getincrementaldecoder("utf-8")(), 0, 1
    with _open(path) as file:
        while chunk := file.read(_HEAD):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                bad, offset = error.object[error.start], position - pending + error.start
                line += error.object[: error.start].count(b"\n")
                return SourceError(
                    f"{path} is not UTF-8: byte 0x{bad:02x} at position {offset}, line {line}; "
                    "save it as UTF-8 (from Latin-1: iconv -f latin1 -t utf-8)"
                )
            position += len(chunk)
            line += chunk.count(b"\n")
    return SourceError(f"{path} is not UTF-8: it ends inside a character; save it as UTF-8")


def _unreadable(path: Path, error: Exception) -> SourceError:
    # Decompression fails without a number, in Python as in Arrow.
    if isinstance(error, EOFError | zlib.error) or (isinstance(error, OSError) and error.errno is None):
        return SourceError(f"{path} is a damaged or truncated gzip file: {error}; copy it again")
    if isinstance(error, UnicodeDecodeError):
        return SourceError(f"{path} is not valid UTF-16, which its byte order mark says; save it as UTF-8")
    return SourceError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}")


def _read_parquet(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        # pre_buffer would hold the whole file in memory.
        with pq.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
        require_unique(schema.names, str(path))
        if rows == 0 or not schema.names:
            raise SourceError(f"{path} has no rows")
        strings = {field.name: str(field.type) for field in schema if is_string(field.type)}
        notes = {"text": False, "strings": strings}
        # Strings arrive as dictionaries, so that each distinct one is handled once a batch.
        with pq.ParquetFile(path, memory_map=True, pre_buffer=False, read_dictionary=list(strings)) as file:
            for batch in file.iter_batches(BATCH):
                yield batch.replace_schema_metadata(write_notes(batch.schema, notes).metadata)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path} is a damaged or truncated Parquet file: {reason}; write it again") from error
