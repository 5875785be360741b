"""One writer at a time for a file that appears whole: others are refused while a process holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anomalo.errors import OutputError


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a file inside, by a lock on a hidden file beside it, which is removed at the end.

    The operating system releases the lock of a process that was killed; the next one removes its file.

    Raises
    ------
    OutputError
        Another process holds the file, or its folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    lock = target.with_name(f".{target.name}.lock")
    descriptor = _locked(lock, path)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is held: who opened it before finds that it is not the file any more
        os.close(descriptor)


def _locked(lock: Path, path: Path) -> int:
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}; give a folder that can be written") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_file(descriptor, lock):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise OutputError(
                f"cannot write {path}: another job is writing it; wait for its end, or give another output"
            ) from None
        os.close(descriptor)


def _is_file(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at a path, not one that was removed since."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
