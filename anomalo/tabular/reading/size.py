"""How large a local source is, without reading it: what its files say, or the density of their first lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from anomalo.errors import SourceError
from anomalo.tabular.reading.folder.listing import local_files
from anomalo.tabular.reading.formats import JSON, TEXT, kind_of
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.text.packed import packing

FIRST = 1 << 20
"""Bytes whose lines are counted."""
LOOKED_AT = 8
"""Text files of a folder whose first lines are counted."""


@dataclass(frozen=True)
class SourceSize:
    """How large a source is.

    Attributes
    ----------
    bytes : int
        Of its files.
    rows : int or None
        About or exactly; None if only reading can say.
    exact : bool
        Whether that is the number.
    why : str
        Where the number of rows comes from.
    """

    bytes: int
    rows: int | None = None
    exact: bool = False
    why: str = ""


def size_of(source: str) -> SourceSize | None:
    """Return how large a source is, without reading all of it; None if it is no local file, folder or pattern.

    Raises
    ------
    SourceError
        A file is damaged or cannot be read.
    """
    files = local_files(source)
    if not files:
        return None
    size = sum(path.stat().st_size for path in files)
    kinds = {_kind(path) for path in files}
    if kinds in ({TEXT}, {JSON}):
        where = "of the first lines" if len(files) == 1 else "of some files' first lines"
        headers = len(files) if kinds == {TEXT} else 0
        return SourceSize(size, max(_lines_of(files, size) - headers, 0), False, f"from the size {where}")
    if kinds <= {"parquet", "arrow"}:
        counts = [_counted(path) for path in files]
        known = [rows for rows in counts if rows is not None]
        if len(known) == len(files):
            whose = "the file's" if len(files) == 1 else f"{len(files):,} files'"
            return SourceSize(size, sum(known), True, f"from {whose} metadata")
    return SourceSize(size)


def _kind(path: Path) -> str | None:
    """Return a file's format; None for a text that is packed, or JSON that has not an object on each line."""
    kind = kind_of(LocalFile(path, str(path)), path.name)
    if kind not in (TEXT, JSON, None):
        return kind
    if packing(path) is not None or (kind == JSON and not _objects(path)):
        return None
    return kind or TEXT


def _objects(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(FIRST).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def _counted(path: Path) -> int | None:
    """Return the rows that a Parquet or Arrow file says it has; None if it does not say."""
    from pyarrow import dataset, parquet

    try:
        if _kind(path) == "parquet":
            return int(parquet.read_metadata(path).num_rows)
        with path.open("rb") as file:
            if file.read(6) != b"ARROW1":  # a stream: its batches follow one another
                return None
        rows: int = dataset.dataset(path, format="ipc").count_rows()
        return rows
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path} is damaged or truncated: {str(error).splitlines()[0]}") from error


def _lines_of(files: Sequence[Path], size: int) -> int:
    """Return about how many lines text files have, of which the first ones are looked at."""
    found = [_lines(path) for path in files[:LOOKED_AT]]
    ends, seen = sum(count for count, _ in found), sum(length for _, length in found)
    return round(ends * size / max(seen, 1))


def _lines(path: Path) -> tuple[int, int]:
    """Return how many lines end outside of quotes in the first bytes of a file, and how many bytes these are."""
    with path.open("rb") as file:
        start = np.frombuffer(file.read(FIRST), dtype=np.uint8)
    quoted = np.cumsum(start == ord('"')) % 2 == 1
    ends = max(int(((start == ord(end)) & ~quoted).sum()) for end in "\n\r")
    unended = len(start) == path.stat().st_size and len(start) > 0 and start[-1] not in b"\r\n"
    return ends + unended, len(start)
