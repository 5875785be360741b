"""Explained images: the regions that are the reasons of their scores, and pictures in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.jobs.images.pictures import FOLDER, write_pictures
from anomalo.jobs.part import Found, Part, Rows
from anomalo.persistence.resume import Arrays
from anomalo.pipeline.cell_tables import SCHEMA
from anomalo.pipeline.explaining.regions import regions
from anomalo.pipeline.fitted import Fitted

Reasons = dict[int, list[dict[str, Any]]]


def explain_images(fitted: Fitted, data: Encoded) -> Found:
    """Return the arrays of explained images: what `regions_and_pictures` takes."""
    explained = fitted.explain(data)
    arrays: Arrays = {"contribution": explained.contribution, "expected": explained.expected}
    return arrays | {"values": data.values, "observed": data.observed}, {}


def regions_and_pictures(encoder: ImageEncoder, part: Part, folder: Path) -> tuple[pa.Table, Reasons]:
    """Write the pictures of explained images below a run's folder, and return their regions as cells and as reasons."""
    where = folder / FOLDER
    where.mkdir(exist_ok=True)
    pixels, expected = (encoder.pixels(part.arrays[name]) for name in ("values", "expected"))
    reasons: Reasons = {}
    for at, row in enumerate(part.rows.tolist()):
        of_pixel = part.arrays["contribution"][at].sum(axis=0)
        seen = part.arrays["observed"][at].all(axis=0)
        write_pictures(where, row, pixels[at], expected[at], seen, of_pixel)
        reasons[row] = [region.to_json() for region in regions(of_pixel, pixels[at], expected[at])]
    return _cells(reasons), reasons


def region_table(fitted: Fitted, encoder: ImageEncoder, rows: Rows, data: Encoded) -> pa.Table:
    """Return the regions of images as cells."""
    explained = fitted.explain(data)
    parts = explained.contribution.sum(axis=1), encoder.pixels(data.values), encoder.pixels(explained.expected)
    found = (regions(*images) for images in zip(*parts, strict=True))
    return _cells({row: [one.to_json() for one in of] for row, of in zip(rows.tolist(), found, strict=True)})


def _cells(reasons: Reasons) -> pa.Table:
    lines = [{"row": row, **region} for row, found in reasons.items() for region in found]
    return pa.Table.from_pylist(lines, SCHEMA)
