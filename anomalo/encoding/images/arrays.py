"""Images of an array in an .npz, read one after the other: the array is never in memory as a whole."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from anomalo.errors import SourceError
from anomalo.tabular.reading.images.files import ARRAYS, MEMBER, Header, array_header


def is_in_array(file: str) -> bool:
    """Whether a name is that of an image in an array, such as `digits.npz#17`."""
    before, mark, number = file.rpartition("#")
    return bool(mark) and number.isdecimal() and before.lower().endswith(ARRAYS)


def array_image(file: str) -> NDArray[Any]:
    """Return one image of an array, [H, W] or [H, W, C], as it is stored.

    Raises
    ------
    SourceError
        The file is absent or damaged, or has no such image.
    """
    path, _, number = file.rpartition("#")
    return _OPEN.image(Path(path), int(number))


class _Stream:
    """The array that was read last, open at the next image; going back starts it again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: tuple[Any, ...] = ()
        self._header: Header | None = None
        self._file: IO[bytes] | None = None

    def image(self, path: Path, number: int) -> NDArray[Any]:
        """Return one image."""
        with self._lock:
            header, file = self._opened(path)
            if number >= header.shape[0]:
                raise SourceError(f"{path} has {header.shape[0]} images, and no number {number}; was it changed?")
            size = int(np.prod(header.shape[1:])) * header.kind.itemsize
            try:
                file.seek(header.begins + number * size)
                content = file.read(size)
            except (OSError, zipfile.BadZipFile, EOFError) as error:
                self._key = ()
                raise SourceError(f"{path} is damaged: {error}") from error
            if len(content) < size:
                raise SourceError(f"{path} is truncated at image {number}")
        return np.frombuffer(content, dtype=header.kind).reshape(header.shape[1:])

    def _opened(self, path: Path) -> tuple[Header, IO[bytes]]:
        try:
            state = path.stat()
        except OSError:
            raise SourceError(f"no such file: {path}") from None
        key = (path, state.st_size, state.st_mtime_ns)
        if key != self._key or self._header is None or self._file is None:
            self._header = array_header(path)
            self._file = zipfile.ZipFile(path).open(MEMBER)  # noqa: SIM115 - it stays open for the next image
            self._key = key
        return self._header, self._file


_OPEN = _Stream()
