"""Rows whose arrays lie in files, mapped into memory: read in parts, so that few pages of them are held at a time."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded

PART = 65_536
"""Rows of a part, by default."""


def mapping(array: NDArray[Any]) -> mmap.mmap | None:
    """Return the mapped file that an array, or the one that it is a view of, lies in; None if it lies in memory."""
    found: mmap.mmap | None = getattr(array, "_mmap", None)
    return found


def is_mapped(data: Encoded) -> bool:
    """Whether the rows lie in files rather than in memory."""
    return mapping(data.values) is not None


@dataclass(frozen=True)
class Stretch:
    """Where in a file a mapped array lies, so that another process can map it.

    Attributes
    ----------
    path : Path
        The file.
    kind : str
        The type of its numbers, as numpy writes it.
    shape : tuple of int
        Of the array.
    offset : int
        The array's first byte in the file.
    """

    path: Path
    kind: str
    shape: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, array: NDArray[Any]) -> Self | None:
        """Return where an array lies; None if it lies in memory, or in the file in parts."""
        file = mapping(array)
        if not isinstance(array, np.memmap) or file is None or not array.flags.c_contiguous or array.filename is None:
            return None
        within = array.ctypes.data - np.frombuffer(file, dtype=np.uint8).ctypes.data
        start = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
        return cls(Path(array.filename).resolve(), array.dtype.str, array.shape, start + within)

    def map(self) -> NDArray[Any]:
        """Return the array, mapped again."""
        return np.memmap(self.path, dtype=self.kind, mode="r", shape=self.shape, offset=self.offset)


def release(*arrays: NDArray[Any]) -> None:
    """Give back the memory that pages of mapped files take; they are read again when they are used."""
    for array in arrays:
        file = mapping(array)
        if file is not None and hasattr(mmap, "MADV_DONTNEED"):
            file.madvise(mmap.MADV_DONTNEED)


def row_parts(data: Encoded, rows: int = PART) -> Iterator[Encoded]:
    """Yield the rows in order, so many at a time; the memory of mapped ones is given back in between.

    Examples
    --------
    >>> import numpy as np
    >>> from anomalo.encoding.encoded import Block, Layout
    >>> layout = Layout("table", (1,), (Block("size", "number", 0),))
    >>> cells = np.zeros((5, 1), dtype=np.float32)
    >>> [len(part) for part in row_parts(Encoded(cells, cells == 0, layout), 2)]
    [2, 2, 1]
    """
    for start in range(0, len(data), rows):
        yield data.take(slice(start, start + rows))
        release(data.values, data.observed)
