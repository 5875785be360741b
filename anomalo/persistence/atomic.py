"""Atomic, fsynced writing of files and folders; no other module renames files."""

import glob
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from anomalo.errors import OutputError


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failure(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(f"cannot write {path}: {reason}; give a folder that exists, can be written, and has free space")


def _require_replaceable(path: Path) -> None:
    # A rename over /dev/null succeeds for root, and breaks the machine.
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; give a file name")
    if path.exists() and not path.is_file():
        raise OutputError(f"cannot write {path}: it is not a regular file; give the name of a file")


def _beside(path: Path, owner: str | None = None) -> Path:
    """Return a hidden name in the same folder, random or the owner's; it keeps the suffix, which writers depend on."""
    return path.with_name(f".{owner or secrets.token_hex(4)}.{path.name}")


def _left(path: Path, owner: str | None) -> list[Path]:
    """Return what a killed process of that owner left in the same folder."""
    return [] if owner is None else list(path.parent.glob(f".{glob.escape(owner)}.*"))


def require_writable(path: Path) -> None:
    """Raise early if nothing can be written at `path`.

    Raises
    ------
    OutputError
        The parent folder is absent or not writable, or `path` is a folder or a device.
    """
    try:
        _require_replaceable(path)
        # An unnamed file, where the system has them: nothing of it remains if the process is killed.
        with tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent):
            pass
    except OutputError:
        raise
    except OSError as error:
        raise _failure(path, error) from error


@contextmanager
def atomic_file(path: Path, owner: str | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is fsynced and replaces `path`.

    The temporary file exists, is empty and has the suffix of `path`. The permissions of a file
    that is replaced are kept. On any exception the temporary file is removed and `path` stays as it was.

    Parameters
    ----------
    owner : str, optional
        The writer's name, without a dot; no other process may write under it at the same time. Temporary files that
        a killed process of that owner left in the folder are removed.

    Raises
    ------
    OutputError
        The file cannot be created or written (absent or read-only folder, full disk), or `path` is a
        folder or a device.
    """
    target = Path(os.path.realpath(path))  # so that a link stays one
    temporary = _beside(target, owner)
    try:
        _require_replaceable(path)
        for left in filter(Path.is_file, _left(target, owner)):
            left.unlink()
        replaces = target.exists()
        temporary.touch(mode=0o600 if replaces else 0o666, exist_ok=False)
        yield temporary
        if replaces:
            shutil.copymode(target, temporary)
        _sync(temporary)
        os.replace(temporary, target)
        _sync(target.parent)
    except OutputError:
        raise
    except OSError as error:
        raise _failure(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def append_line(path: Path, line: str) -> None:
    """Append a line to a text file and fsync it; an incomplete line of a killed process stays separate.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _failure(path, error) from error


def append_bytes(path: Path, content: bytes) -> None:
    """Append whole lines to a file, in one step, and fsync it.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    try:
        with path.open("ab", buffering=0) as file:
            file.write(content)
            os.fsync(file.fileno())
    except OSError as error:
        raise _failure(path, error) from error


@contextmanager
def atomic_folder(path: Path, owner: str | None = None) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success its files are fsynced and it becomes `path`.

    Parent folders are made as needed. On any exception the temporary folder is removed.

    Parameters
    ----------
    owner : str, optional
        The writer's name, without a dot; no other process may write under it at the same time. Temporary folders
        that a killed process of that owner left beside `path` are removed.

    Raises
    ------
    OutputError
        `path` exists already, or the folder cannot be written.
    """
    temporary = _beside(path, owner)
    try:
        _require_absent(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in filter(Path.is_dir, _left(path, owner)):
            shutil.rmtree(left)
        temporary.mkdir()
        yield temporary
        for entry in sorted(temporary.rglob("*"), reverse=True):
            _sync(entry)
        _sync(temporary)
        _require_absent(path)
        os.rename(temporary, path)
        _sync(path.parent)
    except OutputError:
        raise
    except OSError as error:
        raise _failure(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _require_absent(path: Path) -> None:
    # os.rename alone would silently replace an empty folder.
    if os.path.lexists(path):
        raise OutputError(f"cannot write {path}: it exists already; give the name of a new folder")
