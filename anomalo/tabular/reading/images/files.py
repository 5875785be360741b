"""Read images from files: a folder or pattern of them, one file, or the array of an .npz."""

from __future__ import annotations

import ast
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from anomalo.errors import SourceError
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.folder.listing import IMAGES, fixed_folder, folder_images, has_magic
from anomalo.tabular.reading.images.rows import image_batches, mask_of, masks_folder

ARRAYS = ".npz"
MEMBER = "images.npy"
"""The array of an .npz that holds the images."""
LABELS = "labels.npy"
"""The array of an .npz that may hold a label for each image: a column `labels`, which no model reads unasked."""
MOST_PIXELS = 80_000_000
"""An image of more pixels is refused before it is decoded: a small file can hold one that fills the memory."""
LONGEST_HEADER = 10_000
"""The most characters of an array's header, as numpy has it."""
MOST_DEFLATED = 1100
"""The format deflate makes nothing smaller by more than this."""


class Header(NamedTuple):
    """What the start of an array in an .npz says: the shape and type of its numbers, and where they begin."""

    shape: tuple[int, ...]
    kind: np.dtype[Any]
    begins: int


def read_images(source: str, options: ReadOptions) -> Iterator[pa.RecordBatch] | None:
    """Return the images of a local source; None if it holds none.

    Raises
    ------
    SourceError
        The file is absent, or an .npz has no array of images; or `masks` is no folder.
    """
    path = Path(source)
    if path.suffix.lower() == ARRAYS and not path.is_dir():
        return _of_array(path, options)
    if path.suffix.lower() in IMAGES and not path.is_dir() and (path.is_file() or not has_magic(source)):
        if not path.is_file():
            raise SourceError(f"no such file: {source}")
        return _of_files([path], path.parent, options)
    images = folder_images(source)
    folder = path if path.is_dir() else Path(fixed_folder(path.as_posix()))
    return _of_files(images, folder, options) if images else None


def _of_files(files: list[Path], folder: Path, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    masks = masks_folder(options.masks)
    below = [path.relative_to(folder).as_posix() for path in files]
    found = [mask_of(path, name, masks) for path, name in zip(files, below, strict=True)]
    return image_batches(below, [str(path.absolute()) for path in files], found)


def _of_array(path: Path, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    if options.masks is not None:
        raise SourceError(f"--masks: the images of {path} have no names that masks could have; give a folder of images")
    header = array_header(path)
    names = [f"images[{at}]" for at in range(header.shape[0])]
    files = [f"{path.absolute()}#{at}" for at in range(header.shape[0])]
    return image_batches(names, files, [None] * len(files), _labels(path, len(files)))


def _labels(path: Path, images: int) -> pa.Table | None:
    """Return the labels of an .npz, one for each image, as a column; None if there are none."""
    with zipfile.ZipFile(path) as archive:
        if LABELS not in archive.namelist():
            return None
    try:
        with np.load(path, allow_pickle=False) as file:
            labels = file[LABELS.removesuffix(".npy")]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SourceError(f"the labels of {path} are damaged: {error}; expected numbers or texts") from error
    if labels.shape != (images,) or labels.dtype.kind not in "buiU":
        raise SourceError(
            f"{path} has 'labels' of {labels.dtype} {labels.shape}; expected {images:,} whole numbers or texts, one "
            "for each image"
        )
    return pa.table({"labels": pa.array(labels)})


def array_header(path: Path) -> Header:
    """Return the shape and type of the array `images` in an .npz, of which no object is unpickled.

    Raises
    ------
    SourceError
        The file is absent or damaged, or there is no such array of numbers [n, H, W] or [n, H, W, C].
    """
    expected = "expected an array 'images' of numbers [n, H, W] or [n, H, W, C]"
    try:
        with zipfile.ZipFile(path) as archive, archive.open(MEMBER) as file:
            version = np.lib.format.read_magic(file)
            length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
            found = ast.literal_eval(file.read(min(length, LONGEST_HEADER)).decode("latin1"))
            shape, kind, begins = found["shape"], np.dtype(found["descr"]), file.tell()
            _require_room(archive.getinfo(MEMBER), begins + math.prod(shape) * kind.itemsize)
    except FileNotFoundError:
        raise SourceError(f"no such file: {path}") from None
    except KeyError:
        raise SourceError(f"{path} has no array 'images'; {expected}") from None
    except (OSError, ValueError, SyntaxError, TypeError, RecursionError, MemoryError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} is damaged: {error}; {expected}") from error
    colours = shape[3] if len(shape) == 4 else 1
    whole = not found["fortran_order"] and kind.kind in "buf" and len(shape) in (3, 4) and colours in (1, 3)
    if not whole or not all(shape):
        raise SourceError(f"{path} has 'images' of {kind} {shape}; {expected}, C being 1 or 3")
    if shape[1] * shape[2] > MOST_PIXELS:
        raise SourceError(f"the images of {path} have more than {MOST_PIXELS:,} pixels; make them smaller")
    return Header(shape, kind, begins)


def _require_room(member: zipfile.ZipInfo, size: int) -> None:
    """Refuse an array that says that it is larger than its file can be."""
    if size > min(member.file_size, MOST_DEFLATED * member.compress_size):
        raise ValueError(f"it says that it has {size:,} bytes, which its file has not")
