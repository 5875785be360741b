"""Workbooks that would fill the memory are refused before they are opened: those that unpack to too much."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator

from anomalo.errors import SourceError
from anomalo.tabular.reading.source import LocalFile

_MOST = 2 << 30
_RATIO, _FREE = 300, 100 << 20
"""A part that shrinks by more than this ratio, and holds more than these bytes, is made to fill memory."""
_CELLS = 50_000_000
"""Cells between the first and the last one of a sheet, which are all held in memory."""
_CHUNK = 1 << 20
_CELL = re.compile(rb'<(?:\w+:)?c [^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')


def check_bounds(file: LocalFile) -> None:
    """Check that a workbook can be read in bounded memory.

    Raises
    ------
    SourceError
        It holds too much, or its cells lie too far apart.
    """
    if not zipfile.is_zipfile(file.path):
        return  # the old format holds at most 65,536 rows of 256 columns
    try:
        with zipfile.ZipFile(file.path) as archive:
            _check_sizes(file, archive.infolist())
            for name in archive.namelist():
                if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                    _check_extent(file, name, _chunks(archive, name))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise SourceError(f"{file} is a damaged workbook: {error}; save it again") from error


def _check_sizes(file: LocalFile, parts: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(part.file_size for part in parts)
    packed = max(1, sum(part.compress_size for part in parts))
    if unpacked > _MOST or (unpacked > _FREE and unpacked > _RATIO * packed):
        raise SourceError(
            f"{file} holds {unpacked:,} bytes once it is unpacked, {unpacked // packed:,} times its size; "
            "save the table as CSV or Parquet"
        )


def _chunks(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with archive.open(name) as part:
        rest = b""
        while chunk := part.read(_CHUNK):
            whole = rest + chunk
            end = whole.rfind(b">") + 1
            yield whole[:end]
            rest = whole[end:][-_CHUNK:]


def _check_extent(file: LocalFile, name: str, chunks: Iterator[bytes]) -> None:
    """Check how far apart the cells of a sheet lie, by their first and last references in each chunk."""
    top, bottom, left, right = 1 << 30, 0, 1 << 30, 0
    for chunk in chunks:
        found = _CELL.findall(chunk)
        if not found:
            continue
        columns = [_column(letters) for letters in {letters for letters, _ in found}]
        rows = [int(number) for number in {number for _, number in found}]
        left, right = min(left, *columns), max(right, *columns)
        top, bottom = min(top, *rows), max(bottom, *rows)
    cells = max(0, bottom - top + 1) * max(0, right - left + 1)
    if cells > _CELLS:
        raise SourceError(
            f"{file}: {name} spans {cells:,} cells, more than {_CELLS:,}; delete cells far from the table, or save it "
            "as CSV or Parquet"
        )


def _column(letters: bytes) -> int:
    """Return the number of a column, from 1.

    Examples
    --------
    >>> _column(b"A"), _column(b"XFD")
    (1, 16384)
    """
    found = 0
    for letter in letters:
        found = 26 * found + letter - 64
    return found
