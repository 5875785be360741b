"""The files of a local folder or glob, in the order in which they are read."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from anomalo.errors import SourceError
from anomalo.tabular.reading.formats import known_suffix

_EXPECTED = "expected tables: CSV, workbooks, Parquet, Arrow or JSON lines; or images: PNG, JPEG, TIFF or BMP"
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
"""How the names of images end."""
MASK = ".mask.png"
"""How the name of a mask ends, which says which pixels of an image are hidden."""


@dataclass(frozen=True)
class TableFile:
    """One file of a table that is several.

    Attributes
    ----------
    name : str
        What messages call it.
    below : str
        Its path below the folder that the user gave, with slashes; folders such as `year=2024` are partitions.
    local : callable
        Returns a context manager that gives the path at which the file can be read.
    """

    name: str
    below: str
    local: Callable[[], AbstractContextManager[Path]]


def has_magic(source: str) -> bool:
    """Whether a source is a pattern, such as `visits/*.csv`."""
    return glob.has_magic(source)


def fixed_folder(pattern: str) -> str:
    """Return the folder of a pattern: what comes before its first part with a wildcard.

    Examples
    --------
    >>> fixed_folder("data/year=*/x.csv"), fixed_folder("*.csv")
    ('data', '')
    """
    parts = pattern.split("/")
    first = next((at for at, part in enumerate(parts) if has_magic(part)), len(parts))
    return "/".join(parts[:first])


def tables_among(paths: Iterable[str]) -> list[str]:
    """Return those of the files below a folder that are tables, in the order of their names.

    Left out are files without a suffix of a table, and those in or with a name that begins with "." or "_", as writers
    of such folders name what is not data.

    Examples
    --------
    >>> tables_among(["b=2/x.csv", "b=10/x.csv", "_SUCCESS", ".x.csv.crc", "notes.pdf"])
    ['b=10/x.csv', 'b=2/x.csv']
    """
    found = [PurePosixPath(path) for path in paths]
    kept = [path for path in found if path.suffix and known_suffix(Path(path.name)) and not _hidden(path)]
    return sorted(str(path) for path in kept)


def images_among(paths: Iterable[str]) -> list[str]:
    """Return those of the files below a folder that are images, in the order of their names; masks are none.

    Examples
    --------
    >>> images_among(["b/2.png", "b/1.JPG", "b/2.mask.png", ".x.png", "notes.txt"])
    ['b/1.JPG', 'b/2.png']
    """
    kept = [path for path in map(PurePosixPath, paths) if path.suffix.lower() in IMAGES and not _hidden(path)]
    return sorted(str(path) for path in kept if not path.name.lower().endswith(MASK))


def folder_images(source: str) -> list[Path]:
    """Return the images of a local folder or pattern; none if it is none, or holds more tables than images."""
    if "://" in source or "::" in source or not (os.path.isdir(source) or has_magic(source)):
        return []
    paths = _listed(source)
    images = images_among(paths)
    return [_folder(source) / path for path in images] if len(images) >= len(tables_among(paths)) else []


def local_parts(source: str) -> list[TableFile]:
    """Return the files of a local folder, or of a pattern.

    Raises
    ------
    SourceError
        There is none.
    """
    folder = _folder(source)
    tables = tables_among(_listed(source))
    if not tables:
        what = f"the folder {source} holds no table" if os.path.isdir(source) else f"no table matches {source}"
        raise SourceError(f"{what}; {_EXPECTED}")
    return [TableFile(str(folder / path), path, partial(_itself, folder / path)) for path in tables]


def _itself(path: Path) -> AbstractContextManager[Path]:
    return nullcontext(path)


def local_files(source: str) -> list[Path]:
    """Return the files of a local source: a file itself, or those of a folder or pattern; none if there is none.

    Of images they are these and their masks.
    """
    if "://" in source or "::" in source:
        return []
    if os.path.isfile(source):
        return [Path(source), *_mask_beside(Path(source))]
    if images := folder_images(source):
        return [path for image in images for path in (image, *_mask_beside(image))]
    paths = _listed(source) if os.path.isdir(source) or has_magic(source) else []
    return [_folder(source) / path for path in tables_among(paths)]


def _mask_beside(image: Path) -> list[Path]:
    """Return the mask beside an image, if there is one."""
    mask = image.with_name(image.stem + MASK)
    return [mask] if image.suffix.lower() in IMAGES and mask.is_file() else []


def _folder(source: str) -> Path:
    return Path(source) if os.path.isdir(source) else Path(fixed_folder(Path(source).as_posix()) or ".")


def _listed(source: str) -> list[str]:
    """Return the files of a folder or pattern, by their paths below the folder."""
    folder = _folder(source)
    matches = [folder] if os.path.isdir(source) else [Path(path) for path in glob.glob(source, recursive=True)]
    return list(dict.fromkeys(path.relative_to(folder).as_posix() for one in matches for path in _files(one)))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [Path(folder) / name for folder, _, names in os.walk(path) for name in names]


def _hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)
