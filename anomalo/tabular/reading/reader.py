"""Read a table from local files, or from standard input: what it is says its content, and else its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from anomalo.errors import SourceError
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.folder.listing import TableFile, has_magic, local_parts
from anomalo.tabular.reading.formats import JSON, TEXT, kind_of, known_suffix
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.reading.stdin import STDIN, spooled
from anomalo.tabular.text.table import read_text

Reader = Callable[[LocalFile, ReadOptions], Iterator[pa.RecordBatch]]


def read(source: str, options: ReadOptions | None = None) -> Iterator[pa.RecordBatch] | None:
    """Read a local table: text, a workbook, Parquet, Arrow or JSON, a folder or glob of such; "-" is standard input.

    A folder of images is read as rows of images, and so are a file of one, an .npz, and with `options.images` the files
    that a table names. Every call reads from the start. A text file's columns are strings, to the character.

    Parameters
    ----------
    source : str
        A path, a pattern of paths such as `visits/*.csv`, or "-".
    options : ReadOptions, optional
        What the user decided; the rest is noticed.

    Returns
    -------
    iterator of RecordBatch, or None
        None if the source is no local file of a known kind.

    Raises
    ------
    SourceError
        The file is absent, empty, header only, not in its encoding, ragged, damaged or too large.
    """
    options = options or ReadOptions()
    if options.images is not None:
        from anomalo.tabular.reading.images.column import read_named_images

        return read_named_images(source, options, _read_table)
    if source != STDIN and "::" not in source and "://" not in source:
        from anomalo.tabular.reading.images.files import read_images

        images = read_images(source, options)
        if images is not None:
            return images
    return _read_table(source, options)


def _read_table(source: str, options: ReadOptions) -> Iterator[pa.RecordBatch] | None:
    if source == STDIN:
        return _reader(kind_of(spooled(), ""))(spooled(), options)
    if "::" in source or "://" in source:
        return None
    path = Path(source)
    if path.is_dir() or (has_magic(source) and not path.exists()):
        return read_files(source, local_parts(source), options)
    return read_file(LocalFile(path, source), options)


def read_files(source: str, files: Sequence[TableFile], options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read several files as one table, one after the other; a reader of remote files calls it too.

    Parameters
    ----------
    source : str
        What messages call the whole.
    files : sequence of TableFile
        At least one; see `tables_among` for their order.
    options : ReadOptions
        What the user decided.

    Raises
    ------
    SourceError
        One cannot be read, or they do not agree in their columns and types; the file is named.
    """
    from anomalo.tabular.reading.folder.tables import read_parts

    return read_parts(source, files, options, read_file)


def read_file(file: LocalFile, options: ReadOptions) -> Iterator[pa.RecordBatch] | None:
    """Read one file, as `read` does.

    Raises
    ------
    SourceError
        As in `read`.
    """
    path = file.path
    if not known_suffix(path) and not path.exists():
        return None
    try:
        with path.open("rb") as opened:
            empty = not opened.read(1)
    except FileNotFoundError:
        raise SourceError(f"no such file: {file}") from None
    except OSError as error:
        raise SourceError(f"cannot read {file}: {error.strerror or error}") from error
    if empty:
        raise SourceError(f"{file} is empty; expected a header line and rows")
    kind = kind_of(file, path.name)
    return None if kind is None else _reader(kind)(file, options)


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
