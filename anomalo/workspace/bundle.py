"""A saved model as one file: a zip archive, not compressed, of `export.json` and the artefact's files.

`export.json` holds the checksum of the artefact's manifest, which holds those of its other files. The same model makes
the same bytes. What is read back is data from anywhere: each name, kind and size is checked before a file is written.
"""

from __future__ import annotations

import re
import shutil
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalo.errors import ArtefactError, OutputError, SourceError
from anomalo.persistence.atomic import atomic_file
from anomalo.persistence.checksums import files_digest
from anomalo.version import __version__
from anomalo.workspace import artifacts
from anomalo.workspace.artifacts import ADVICE, MANIFEST
from anomalo.workspace.sealed import opened, sealed

OLDEST, FORMAT = 1, 1
"""The oldest format of exports that is read, and the one that is written."""
DOCUMENT = "export.json"
FOLDER = "artefact"
NAMES = re.compile(rf"{re.escape(DOCUMENT)}|{FOLDER}/(models/\w+/)*(\w+\.safetensors|{re.escape(MANIFEST)})", re.ASCII)
MOST_FILES = 1_000
LARGEST = 2_000_000_000
LARGEST_JSON = 100_000_000
END = struct.Struct("<4s4H2LH")
"""The last record of a zip archive: signature, disk, its disk, entries here, entries, size and offset of the list,
length of the comment."""
LOCATOR = 20
"""Bytes of the record before it in a larger archive, which is none of ours."""
EPOCH = (1980, 1, 1, 0, 0, 0)
AGAIN = "export the model again, or copy the file again"


@dataclass(frozen=True)
class Bundle:
    """The content of an export, in a folder that is removed at the end of its block.

    Attributes
    ----------
    document : dict
        What `write` was given, and `anomalo`, the version that wrote it.
    manifest : dict
        That of the artefact.
    folder : Path
        The artefact, of which every byte was checked.
    """

    document: dict[str, Any]
    manifest: dict[str, Any]
    folder: Path


def write(path: Path, folder: Path, document: Mapping[str, Any]) -> None:
    """Write the artefact in a folder, and JSON-ready facts about it, as one file.

    Raises
    ------
    ArtefactError
        The artefact is damaged.
    OutputError
        The file cannot be written, or has more than 2 GB.
    """
    manifest = artifacts.load(folder).manifest
    if sum(facts["bytes"] for facts in manifest["files"].values()) > LARGEST:
        raise OutputError(f"cannot write {path}: an export holds at most 2 GB, and {folder} has more")
    facts = {**document, "format": FORMAT, "anomalo": __version__, "manifest": files_digest([folder / MANIFEST])}
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w", allowZip64=False) as archive:
        archive.writestr(_entry(DOCUMENT), sealed(facts))
        for name in (MANIFEST, *sorted(manifest["files"])):
            with (folder / name).open("rb") as source, archive.open(_entry(f"{FOLDER}/{name}"), "w") as target:
                shutil.copyfileobj(source, target)


@contextmanager
def read(path: Path, folder: Path) -> Iterator[Bundle]:
    """Check an export and unpack it into a folder, which is empty.

    Raises
    ------
    SourceError
        The file is absent or cannot be read.
    ArtefactError
        It is no export, of another format, or damaged, or it holds anything that an export does not.
    """
    try:
        _check_end(path)
        with zipfile.ZipFile(path) as archive:
            entries = _entries(path, archive)
            document = _document(path, archive, entries)
            for name, entry in entries.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, (folder / name).open("xb") as target:
                    shutil.copyfileobj(source, target)
    except ArtefactError:
        raise
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}; give a file of `anomalo export`") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, struct.error) as error:
        raise _refused(path, "it is damaged") from error
    yield Bundle(document, _manifest(path, folder / FOLDER, document), folder / FOLDER)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system = 3  # Unix, on every system
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry


def _refused(path: Path, why: str) -> ArtefactError:
    return ArtefactError(f"{path}: {why}; nothing was imported: {AGAIN}")


def _check_end(path: Path) -> None:
    """Check the end of the file before anything is read by what stands there."""
    if not path.is_file():
        raise SourceError(f"cannot read {path}: it is no file; give a file of `anomalo export`")
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(length - END.size - LOCATOR, 0))
        tail = file.read()
    if length < END.size + LOCATOR or tail[LOCATOR : LOCATOR + 4] != b"PK\x05\x06" or tail[:4] == b"PK\x06\x07":
        raise _refused(path, "it is no file of `anomalo export`, or it is truncated")
    _, _, _, _, entries, listed, offset, _ = END.unpack(tail[LOCATOR:])
    if entries > MOST_FILES or offset + listed + END.size != length:
        raise _refused(path, "it is damaged: its list of files does not fit")


def _entries(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files by name: plain ones, not packed, with names that an export has, each once."""
    entries = archive.infolist()
    for entry in entries:
        mode = entry.external_attr >> 16
        if not NAMES.fullmatch(entry.filename) or not stat.S_ISREG(mode):
            raise _refused(path, f"it holds {entry.filename[:100]!r}, which is no part of an export")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits:
            raise _refused(path, f"its part {entry.filename!r} is packed or encrypted, as no part of an export is")
    found = {entry.filename: entry for entry in entries}
    if len(found) < len(entries):
        raise _refused(path, "a part of it stands there twice")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise _refused(path, "its parts are larger than the file")
    json = [found[name].file_size for name in (DOCUMENT, f"{FOLDER}/{MANIFEST}") if name in found]
    if len(json) < 2 or max(json) > LARGEST_JSON:
        raise _refused(path, f"it has no {DOCUMENT} or no {MANIFEST} of a size that can be read")
    return found


def _document(path: Path, archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> dict[str, Any]:
    document, intact = opened(archive.read(entries[DOCUMENT]))
    version = document.get("format")
    if not (isinstance(version, int) and OLDEST <= version <= FORMAT):
        raise ArtefactError(
            f"{path}: an export of format {version!r}, but anomalo {__version__} reads format {FORMAT}; update anomalo"
        )
    if not intact:
        raise _refused(path, f"it is damaged: {DOCUMENT} does not match its checksum")
    return document


def _manifest(path: Path, folder: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the artefact's manifest, once every byte is checked; messages name the export alone."""
    if files_digest([folder / MANIFEST]) != document.get("manifest"):
        raise _refused(path, f"it is damaged: {MANIFEST} is not the one that {DOCUMENT} describes")
    try:
        return artifacts.load(folder).manifest
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {str(error).replace(f'{folder}/', '').replace(ADVICE, AGAIN)}") from error
