"""Temporary files, deleted as soon as nobody reads them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from anomalo.errors import SourceError
from anomalo.tabular.reading.source import LocalFile


@contextmanager
def temporary_file(source: LocalFile, most: int | None = None) -> Iterator[tuple[Path, BinaryIO]]:
    """Yield a new file for what is in `source`, open to be written; it is deleted at the end, if not before.

    Raises
    ------
    SourceError
        It cannot be created or written, or `most` bytes are not enough for it.
    """
    folder = tempfile.gettempdir()
    try:
        descriptor, name = tempfile.mkstemp(prefix="anomalo-")
    except OSError as error:
        raise _failure(folder, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield Path(name), cast("BinaryIO", _Writing(file, folder, source, most))
    finally:
        with suppress(OSError):
            os.unlink(name)


def take(path: Path) -> pa.NativeFile:
    """Open a temporary file for Arrow, and delete its name at once, where the system allows it."""
    opened = pa.OSFile(os.fsencode(path))
    with suppress(OSError):
        path.unlink()
    return opened


class _Writing:
    """Writes to a temporary file, up to a bound; a full disk is one line."""

    def __init__(self, file: BinaryIO, folder: str, source: LocalFile, most: int | None) -> None:
        self._file, self._folder, self._source, self._left = file, folder, source, most

    def write(self, data: bytes) -> int:
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise SourceError(f"{self._source} holds far more than its size once it is unpacked; unpack it first")
        try:
            return self._file.write(data)
        except OSError as error:
            raise _failure(self._folder, error) from error

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise _failure(self._folder, error) from error


def _failure(folder: str, error: OSError) -> SourceError:
    reason = error.strerror or str(error)
    return SourceError(f"cannot write a temporary file in {folder}: {reason}; set TMPDIR to a folder with free space")
