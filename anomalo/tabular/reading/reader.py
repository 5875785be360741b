"""Read a table from a local file, or from standard input: what it is says its content, and else its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from anomalo.errors import SourceError
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.formats import JSON, TEXT, kind_of, known_suffix
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.reading.stdin import STDIN, spooled
from anomalo.tabular.text.table import read_text

Reader = Callable[[LocalFile, ReadOptions], Iterator[pa.RecordBatch]]


def read(source: str, options: ReadOptions | None = None) -> Iterator[pa.RecordBatch] | None:
    """Read a local table: text, a workbook, Parquet, Arrow or JSON; "-" is standard input.

    Every call reads from the start. A text file's columns are strings, to the character.

    Parameters
    ----------
    source : str
        A path, or "-".
    options : ReadOptions, optional
        What the user decided; the rest is noticed.

    Returns
    -------
    iterator of RecordBatch, or None
        None if the source is no local file of a known kind.

    Raises
    ------
    SourceError
        The file is absent, a folder, empty, header only, not in its encoding, ragged, damaged or too large.
    """
    options = options or ReadOptions()
    if source == STDIN:
        return _reader(kind_of(spooled(), ""))(spooled(), options)
    if "::" in source or "://" in source:
        return None
    path = Path(source)
    if not known_suffix(path) and not path.exists():
        return None
    if path.is_dir():
        raise SourceError(f"{source} is a folder; give a table: CSV, a workbook, Parquet, Arrow or JSON lines")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise SourceError(f"no such file: {source}") from None
    except OSError as error:
        raise SourceError(f"cannot read {source}: {error.strerror or error}") from error
    if empty:
        raise SourceError(f"{source} is empty; expected a header line and rows")
    file_ = LocalFile(path, source)
    kind = kind_of(file_, path.name)
    return None if kind is None else _reader(kind)(file_, options)


def _reader(kind: str | None) -> Reader:
    # Imported when needed: most of them load a library.
    if kind == TEXT or kind is None:
        return read_text
    if kind == JSON:
        from anomalo.tabular.reading.json_lines import read_json

        return read_json
    if kind == "parquet":
        from anomalo.tabular.reading.parquet import read_parquet

        return read_parquet
    if kind == "arrow":
        from anomalo.tabular.reading.arrow_files import read_arrow

        return read_arrow
    from anomalo.tabular.reading.workbooks.sheet import read_workbook

    return read_workbook
