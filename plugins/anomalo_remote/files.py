"""The files behind a URL: listed, and each copied to a temporary file while it is read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
from fsspec.core import url_to_fs

from anomalo.errors import SourceError, without_passwords
from anomalo.plugin import ReadOptions, TableFile, fixed_folder, has_magic, read_files, tables_among


def read_url(source: str, options: ReadOptions) -> Iterator[pa.RecordBatch] | None:
    """Return the batches of the table behind a URL: a file, a folder, or a pattern of files.

    Raises
    ------
    SourceError
        It cannot be reached, holds no table, or a library that it needs is not installed.
    """
    scheme = source.partition("://")[0].rpartition("::")[2]
    if scheme not in fsspec.available_protocols():
        return None
    shown = without_passwords(source)
    with _failures(shown, source):
        filesystem, path = url_to_fs(source)
        files = _files(filesystem, path, shown)
    return read_files(shown, files, options)


def _files(filesystem: Any, path: str, shown: str) -> Sequence[TableFile]:
    if filesystem.isfile(path):
        return [_file(filesystem, path, path.rpartition("/")[2], shown)]
    pattern = has_magic(path)
    folder = fixed_folder(path) if pattern else path.rstrip("/")
    found = filesystem.glob(path) if pattern else [path]
    every = [file for one in found for file in ([one] if filesystem.isfile(one) else filesystem.find(one))]
    below = tables_among(dict.fromkeys(file.removeprefix(f"{folder}/") for file in every))
    if not below:
        raise SourceError(f"no table is at {shown}; expected CSV, workbooks, Parquet, Arrow or JSON lines")
    paths = {name: f"{folder}/{name}" for name in below}
    return [_file(filesystem, path, name, filesystem.unstrip_protocol(path)) for name, path in paths.items()]


def _file(filesystem: Any, path: str, below: str, shown: str) -> TableFile:
    shown = without_passwords(shown)
    return TableFile(shown, below, partial(_copied, filesystem, path, shown))


@contextmanager
def _copied(filesystem: Any, path: str, shown: str) -> Iterator[Path]:
    """Copy a remote file, yield the copy's path, and delete it."""
    with tempfile.TemporaryDirectory(prefix="anomalo-") as folder:
        copy = Path(folder) / path.rpartition("/")[2]  # the suffix says what it is
        with _failures(shown):
            filesystem.get_file(path, str(copy))
        yield copy


@contextmanager
def _failures(shown: str, source: str = "") -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        advice = 'python -m pip install "anomalo-engine[s3]"' if shown.startswith("s3") else str(error)
        raise SourceError(f"{shown}: the library for it is not installed; {advice}") from error
    except FileNotFoundError as error:
        raise SourceError(f"there is no {shown}") from error
    except SourceError:
        raise
    except Exception as error:  # each library has exceptions of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(f"cannot read {shown}: {without_passwords(reason, source)}") from error
