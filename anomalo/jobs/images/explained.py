"""Explained images: the regions that are the reasons of their scores, and pictures in the run's folder."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.jobs.images.pictures import FOLDER, write_pictures
from anomalo.jobs.part import Found, Part
from anomalo.persistence.resume import Arrays
from anomalo.pipeline.cell_tables import SCHEMA
from anomalo.pipeline.explaining.regions import regions
from anomalo.pipeline.fitted import Fitted

Reasons = dict[int, list[dict[str, Any]]]
PICTURES = 2000
"""So many explained images of a run get pictures, the most anomalous ones: at most 0.3 GB of 128 × 128 pixels."""


def explain_images(fitted: Fitted, data: Encoded) -> Found:
    """Return the arrays of explained images: what `regions_of` and `write_pictures_of` take."""
    explained = fitted.explain(data)
    arrays: Arrays = {"contribution": explained.contribution, "expected": explained.expected}
    return arrays | {"values": data.values, "observed": data.observed}, {}


def regions_of(encoder: ImageEncoder, part: Part) -> tuple[pa.Table, Reasons]:
    """Return the regions of explained images, as cells and as reasons."""
    pixels, expected = (encoder.pixels(part.arrays[name]) for name in ("values", "expected"))
    found = zip(part.rows.tolist(), part.arrays["contribution"].sum(axis=1), pixels, expected, strict=True)
    reasons = {row: [region.to_json() for region in regions(*image)] for row, *image in found}
    lines = [{"row": row, **region} for row, of_image in reasons.items() for region in of_image]
    return pa.Table.from_pylist(lines, SCHEMA), reasons


def write_pictures_of(encoder: ImageEncoder, part: Part, folder: Path, drawn: Container[int] | None = None) -> None:
    """Write the pictures of explained images below a folder.

    Parameters
    ----------
    drawn : container of int, optional
        The rows that get pictures; by default all of the part.
    """
    where = folder / FOLDER
    where.mkdir(exist_ok=True)
    pixels, expected = (encoder.pixels(part.arrays[name]) for name in ("values", "expected"))
    seen = np.asarray(part.arrays["observed"].all(axis=1))
    contribution = part.arrays["contribution"].sum(axis=1)
    for at, row in enumerate(part.rows.tolist()):
        if drawn is None or row in drawn:
            write_pictures(where, row, pixels[at], expected[at], seen[at], contribution[at])
