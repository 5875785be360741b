"""Uploaded files: kept in the workspace under random names; the name that one came with is only shown."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from pathlib import Path, PureWindowsPath

from anomalo.errors import OutputError
from anomalo.persistence.atomic import atomic_file, atomic_folder
from anomalo.tabular.reading.folder.listing import IMAGES
from anomalo.tabular.reading.formats import KINDS
from anomalo.tabular.reading.images.files import ARRAYS
from anomalo.tabular.text import packed
from anomalo_dashboard.navigation import workspace
from anomalo_dashboard.security import archives, named

_PACKED = ("", *packed.SUFFIXES.values())
_TABLES = sorted({suffix for suffixes in KINDS.values() for suffix in suffixes}, reverse=True)
SUFFIXES = (*(f"{table}{packing}" for table in _TABLES for packing in _PACKED if table or packing), ARRAYS, *IMAGES)
"""Those that say how a file is read, all that the command line reads; another one is not kept."""
_RANDOM = 16  # bytes
_LONGEST = 255
_NAME = rf"[0-9a-f]{{{2 * _RANDOM}}}"


def keep(name: str, content: bytes) -> Path:
    """Save an uploaded file in the workspace, which only its owner can read, and the name that it came with beside it.

    Of a zip archive of images it is a folder with these.

    Raises
    ------
    OutputError
        The workspace cannot be written.
    UsageError
        An archive of images cannot be unpacked.
    """
    folder, shown = _folder(), PureWindowsPath(name).name[-_LONGEST:] or "table"  # of a path with / or with \
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}; choose a writable workspace") from error
    if archives.holds_images(content):
        path = folder / secrets.token_hex(_RANDOM)
        with atomic_folder(path) as temporary:
            temporary.chmod(0o700)
            archives.unpack(content, temporary)
        _write(_beside(path), json.dumps({"name": shown}).encode())
        return path
    suffix = max((suffix for suffix in SUFFIXES if shown.lower().endswith(suffix)), key=len, default="")
    path = folder / f"{secrets.token_hex(_RANDOM)}{suffix}"
    _write(_beside(path), json.dumps({"name": shown}).encode())
    _write(path, content)
    return path


def name_of(source: str) -> str:
    """Return what people call a table: the name that an uploaded file came with, or the last part of a path or URL.

    Examples
    --------
    >>> name_of("/data/patients.csv"), name_of("s3://bucket/patients.csv"), name_of("source::visits")
    ('patients.csv', 'patients.csv', 'visits')
    """
    name = named.name_in(source)
    if name is not None:
        return name
    path = Path(source)
    if path.parent == _folder() and re.fullmatch(_NAME, path.name.partition(".")[0]):
        with suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads(_beside(path).read_text(encoding="utf-8"))["name"])
    return path.name or source


def with_names(text: str) -> str:
    """Return a text, such as that of an error, with the names of uploaded files instead of their paths."""
    path = rf"{re.escape(str(_folder()))}/{_NAME}[.\w]*"
    return re.sub(path, lambda found: name_of(found[0]), text)


def _folder() -> Path:
    return workspace().resolve() / "uploads"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name.partition('.')[0]}.json")


def _write(path: Path, content: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.chmod(0o600)
        temporary.write_bytes(content)
