"""Pictures that a run keeps of its images, read back: only what a run can have written is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anomalo.jobs.images.pictures import FOLDER, Bytes, Kind, name_of
from anomalo.jobs.scoring.explained_later import explained_folder

MOST_SIDE, MOST_BYTES = 1024, 1 << 23
"""A picture with a longer side, or a larger file, is none that a run has written."""


def has_pictures(run: Path) -> bool:
    """Whether a run, by its folder, is one of images that keeps pictures."""
    return (run / FOLDER).is_dir()


def picture(run: Path, row: int, kind: Kind = "seen") -> Bytes | None:
    """Return a picture of an image, uint8 [H, W] or [H, W, 3]; None if the run keeps none, or what it keeps is damaged.

    Parameters
    ----------
    run : Path
        The run's folder.
    row : int
        The image's number in the input.
    kind : {"seen", "expected", "heat", "filled"}
        As the model sees it, as it expects it, with a heat map, or with its hidden pixels filled.
    """
    return read(explained_folder(run, row) / FOLDER / name_of(row, kind))


def read(path: Path) -> Bytes | None:
    """Return the picture in a file of a run; None if there is none, or it is none that a run can have written."""
    from PIL import Image

    try:
        if path.is_symlink() or path.stat().st_size > MOST_BYTES:
            return None
        with Image.open(path, formats=["PNG"]) as image:
            if max(image.size) > MOST_SIDE or image.mode not in ("L", "RGB"):
                return None
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
