"""Uploaded zip archives of images: their images, and nothing else, are unpacked into a folder of the workspace."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from pathlib import Path

from anomalo.errors import UsageError
from anomalo.jobs.images.pictures import below
from anomalo.tabular.reading.folder.listing import IMAGES, MASK, images_among
from anomalo_dashboard.security.bounds import DEFAULT, MOST, size

MOST_FILES = 100_000
"""An archive of more files is refused."""
LONGEST = 200
"""The most characters of a path in an archive."""
_CHUNK = 1 << 20
_DOCUMENTS = ("[Content_Types].xml", "mimetype")
"""Files of archives that are documents, which may hold many pictures."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
"""What reading a damaged or encrypted archive raises."""


def holds_images(content: bytes) -> bool:
    """Whether an uploaded file is a zip archive that holds images, and no more other files than images."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [part.filename for part in archive.infolist() if not part.is_dir()]
    except _DAMAGED:
        return False
    images = sum(name.lower().endswith(IMAGES) for name in names)
    return images > 0 and 2 * images >= len(names) and not set(names) & set(_DOCUMENTS)


def unpack(content: bytes, folder: Path) -> None:
    """Write the images and masks of a zip archive below a folder.

    Paths lead out of no folder, whatever they are; links, hidden files and others than images are left out.

    Raises
    ------
    UsageError
        The archive is damaged or encrypted, holds more than may be unpacked or too many files, or two of its files have
        the same path.
    """
    left = int(os.environ.get(MOST) or size(DEFAULT))
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {part.filename: part for part in archive.infolist() if _is_image(part)}
            if len(parts) > MOST_FILES:
                raise UsageError(f"the archive holds {len(parts):,} images; give at most {MOST_FILES:,}")
            for name, part in parts.items():
                left -= _write(archive, part, folder / below(name), left)
    except _DAMAGED as error:
        raise UsageError(f"the archive is damaged or encrypted ({error}): make it again, without a password") from None
    if not images_among(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()):
        raise UsageError("the archive holds no images: PNG, JPEG, TIFF or BMP")


def _is_image(part: zipfile.ZipInfo) -> bool:
    """Whether a file of an archive is an image or a mask, and neither hidden nor a link."""
    names = below(part.filename).split("/")
    hidden = any(name.startswith((".", "__MACOSX")) for name in names) or len(part.filename) > LONGEST
    link = stat.S_ISLNK(part.external_attr >> 16)
    return names[-1].lower().endswith((*IMAGES, MASK)) and not (hidden or link or part.is_dir())


def _write(archive: zipfile.ZipFile, part: zipfile.ZipInfo, path: Path, left: int) -> int:
    """Write one file of an archive, and return how many bytes it has."""
    if path.exists():
        raise UsageError(f"two files of the archive are {path.name!r} at the same path: give them different names")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    found = 0
    with archive.open(part) as file, path.open("wb") as written:
        while chunk := file.read(_CHUNK):  # what an archive says of its sizes may be wrong
            found += len(chunk)
            if found > left:
                raise UsageError(
                    "the archive holds more than may be unpacked: give a smaller one, or start the dashboard with a "
                    "larger --max-unpacked"
                )
            written.write(chunk)
    return found
