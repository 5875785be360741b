"""Files that are packed (gzip, bzip2, xz, Zstandard, zip): their bytes, for Python and for Arrow."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from anomalo.errors import SourceError
from anomalo.tabular.reading.source import LocalFile

DAMAGED: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What reading a damaged packed file raises."""
SUFFIXES = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz", "zstd": ".zst", "zip": ".zip"}
"""The packings, and how the names of such files end."""
_MAGIC = {
    "gzip": b"\x1f\x8b",
    "bz2": b"BZh",
    "xz": b"\xfd7zXZ\x00",
    "zstd": b"\x28\xb5\x2f\xfd",
    "zip": b"PK\x03\x04",
}
_BY_ARROW = ("gzip", "bz2", "zstd")
_MOST, _RATIO = 1 << 31, 200


def packing(path: Path) -> str | None:
    """Return how a file is packed, by its first bytes; None if it is not."""
    with path.open("rb") as raw:
        start = raw.read(6)
    return next((name for name, magic in _MAGIC.items() if start.startswith(magic)), None)


@contextmanager
def opened(file: LocalFile) -> Iterator[BinaryIO]:
    """Open a file as the bytes that it holds once it is unpacked; they can be read once, forwards.

    Raises
    ------
    SourceError
        It is a zip archive that holds no file, or several.
    """
    path, kind = file.path, packing(file.path)
    with ExitStack() as stack:
        opening: Any
        if kind == "gzip":
            opening = gzip.GzipFile(path, "rb")
        elif kind == "bz2":
            opening = bz2.BZ2File(path)
        elif kind == "xz":
            opening = lzma.LZMAFile(path)  # noqa: SIM115, it is entered below
        elif kind == "zstd":
            opening = pa.CompressedInputStream(pa.OSFile(os.fsencode(path)), "zstd")
        elif kind == "zip":
            archive = stack.enter_context(zipfile.ZipFile(path))
            opening = archive.open(_only_member(file, archive))
        else:
            opening = path.open("rb")
        yield cast("BinaryIO", stack.enter_context(opening))


def native(path: Path) -> pa.NativeFile | None:
    """Open a file's unpacked bytes for Arrow, which reads them without Python; None if it cannot.

    Arrow reads ahead in threads of its own, which may outlive a reader that is left early, and the interpreter. If they
    then needed a Python object, the process would abort.
    """
    kind = packing(path)
    if kind is None:
        return pa.OSFile(os.fsencode(path))
    if kind not in _BY_ARROW or (kind == "gzip" and _is_padded(path)):
        return None
    return pa.CompressedInputStream(pa.OSFile(os.fsencode(path)), kind)


def most_unpacked(path: Path) -> int | None:
    """Return how many bytes a packed file may reasonably hold; None if it is not packed."""
    return None if packing(path) is None else max(_MOST, _RATIO * path.stat().st_size)


def member_suffix(path: Path) -> str:
    """Return the suffix of the only file in a zip archive; empty if there is none, or several."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = _members(archive)
    except DAMAGED:
        return ""
    return Path(names[0]).suffix.lower() if len(names) == 1 else ""


def _only_member(file: LocalFile, archive: zipfile.ZipFile) -> str:
    names = _members(archive)
    if len(names) != 1:
        raise SourceError(f"{file} holds {len(names)} files; expected a zip archive with exactly one table")
    if archive.getinfo(names[0]).flag_bits & 1:
        raise SourceError(f"{file} is locked with a password; unpack it first")
    return names[0]


def _members(archive: zipfile.ZipFile) -> list[str]:
    """Return the files in an archive, without those that systems add."""
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    return [name for name in names if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")]


def _is_padded(path: Path) -> bool:
    """Whether zeros follow a gzip file, as on tapes: its own last eight bytes are a checksum and a length."""
    with path.open("rb") as raw:
        raw.seek(-8, os.SEEK_END)
        return raw.read() == bytes(8)
