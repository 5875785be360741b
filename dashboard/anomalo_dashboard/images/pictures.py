"""Pictures that a run keeps of its images, as the pages show them; no page reads an image itself or runs a model."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from anomalo.jobs.images.kept import has_pictures, picture
from anomalo.jobs.images.pictures import Bytes, Kind, png
from anomalo.jobs.scoring.explained_later import explained_folder
from anomalo.tabular.reading.images.rows import IMAGE_FILE, MASK_FILE
from anomalo.workspace.workspace import ModelRecord, RunRecord

SMALL = 64
"""The longest side of a thumbnail, in pixels."""
LARGE = 384
"""Pictures are enlarged to about this many pixels, so that those of the image stay sharp squares."""
FILES = (IMAGE_FILE, MASK_FILE)
"""The columns of a run of images that say where files were; no page needs them."""


def of_images(run: RunRecord) -> bool:
    """Whether the rows of a run are images, of which it keeps pictures."""
    return has_pictures(run.path)


def learned_from_images(record: ModelRecord) -> bool:
    """Whether a saved model reads images."""
    return "image" in record.summary.get("kinds", {}).values()


def without_files(run: RunRecord, columns: list[str]) -> list[str]:
    """Return the columns of a run's rows without those that say where the files of images were."""
    return [name for name in columns if name not in FILES] if of_images(run) else columns


def thumbnails(run: RunRecord, rows: Iterable[Any]) -> list[str | None]:
    """Return small pictures of images as addresses that hold themselves; None where the run keeps none."""
    return [_thumbnail(run.path, run.created, explained_folder(run.path, int(row)), int(row)) for row in rows]


@st.cache_data(max_entries=4096, show_spinner=False)
def _thumbnail(run: Path, created: str, folder: Path, row: int) -> str | None:
    found = picture(run, row)
    return None if found is None else data_address(small(found))


def small(picture: Bytes) -> Bytes:
    """Return a picture, reduced to `SMALL` pixels if it is larger."""
    image = Image.fromarray(picture)
    image.thumbnail((SMALL, SMALL))
    return np.asarray(image)


def data_address(picture: Bytes) -> str:
    """Return the address of a picture that holds itself."""
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"


def large(run: RunRecord, row: int, kind: Kind) -> Bytes | None:
    """Return a picture of an image, enlarged; None if the run keeps none."""
    found = picture(run.path, row, kind)
    return None if found is None else enlarged(found)


def overlaid(run: RunRecord, row: int, share: float) -> Bytes | None:
    """Return an image under its heat map, enlarged; None if the run keeps none.

    Parameters
    ----------
    share : float
        How much of the heat map shows, from 0 to 1.
    """
    seen, heat = picture(run.path, row), picture(run.path, row, "heat")
    if seen is None or heat is None or seen.shape[:2] != heat.shape[:2]:
        return None
    below, above = (np.atleast_3d(each).astype(np.float64) for each in (seen, heat))
    return enlarged(np.rint((1 - share) * below + share * above).astype(np.uint8))


def enlarged(picture: Bytes) -> Bytes:
    """Return a picture with each pixel as a square, so that its longest side is about `LARGE`.

    Examples
    --------
    >>> enlarged(np.zeros((96, 48), dtype=np.uint8)).shape
    (384, 192)
    """
    times = max(LARGE // max(picture.shape[:2]), 1)
    return picture.repeat(times, axis=0).repeat(times, axis=1)
