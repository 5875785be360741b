"""A file behind a URL as an output: written here, and copied there when it is complete."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
from fsspec.core import url_to_fs

from anomalo.errors import AnomaloError, OutputError, UsageError, without_passwords
from anomalo.plugin import TableWriter, check_suffix

if TYPE_CHECKING:
    import pyarrow as pa

WHOLE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "memory")
"""Protocols by which a file appears when all of it is there; elsewhere it gets its name afterwards."""


@dataclass(frozen=True)
class RemoteFile:
    """A file behind a URL to write; one that is there is replaced.

    Attributes
    ----------
    url : str
        As the user wrote it.
    """

    url: str

    @classmethod
    def parse(cls, target: str) -> RemoteFile | None:
        """Return the file that a URL names; None if its protocol is not known here.

        Raises
        ------
        UsageError
            The URL names a folder, or its suffix is not known.
        """
        if "::" in target or target.partition("://")[0] not in fsspec.available_protocols():
            return None
        name = target.rpartition("/")[2]
        if not name or name.startswith("?by="):
            shown = without_passwords(target)
            raise UsageError(f"cannot write to {shown}: behind a URL only a file can be written; give the name of one")
        check_suffix(Path(name))
        return cls(target)

    def check(self) -> None:
        """Write a small file beside it and remove that.

        Raises
        ------
        OutputError
            It cannot be written, or a library that it needs is not installed.
        """
        with self._failures():
            filesystem, path = url_to_fs(self.url)
            probe = _beside(path)
            filesystem.pipe_file(probe, b"anomalo")
            filesystem.rm_file(probe)

    @contextmanager
    def writer(self, like: pa.Schema | None) -> Iterator[TableWriter]:
        """Yield what takes the rows; the file is copied at the end of the block, and not after an exception.

        Raises
        ------
        OutputError
            It cannot be written, or a library that it needs is not installed.
        """
        with tempfile.TemporaryDirectory(prefix="anomalo-") as folder:
            copy = Path(folder) / self.url.rpartition("/")[2]
            with TableWriter(copy, like) as table:
                yield table
            with self._failures():
                filesystem, path = url_to_fs(self.url)
                _put(filesystem, path, copy)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        shown = without_passwords(self.url)
        try:
            yield
        except AnomaloError:
            raise
        except ImportError as error:
            advice = 'python -m pip install "anomalo-engine[s3]"' if shown.startswith("s3") else str(error)
            raise OutputError(f"{shown}: the library for it is not installed; {advice}") from error
        except Exception as error:  # each library has exceptions of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise OutputError(f"cannot write {shown}: {without_passwords(reason, self.url)}") from error


def _put(filesystem: Any, path: str, copy: Path) -> None:
    protocols = filesystem.protocol if isinstance(filesystem.protocol, tuple) else (filesystem.protocol,)
    if set(protocols) & set(WHOLE):
        filesystem.put_file(str(copy), path)
        return
    part = _beside(path)
    try:
        filesystem.put_file(str(copy), part)
        filesystem.mv(part, path)
    except BaseException:
        with suppress(Exception):
            filesystem.rm_file(part)
        raise


def _beside(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}.{name}.{uuid.uuid4().hex[:8]}"
