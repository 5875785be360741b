"""Fill the hidden pixels of images, and write these as files of the size that they have."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded, Floats
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.encoding.images.decoding import decoded, decoded_mask, resized
from anomalo.errors import OutputError
from anomalo.jobs.images.explained import PICTURES
from anomalo.jobs.images.pictures import FOLDER, as_bytes, png, safe_name, write_filled
from anomalo.jobs.imputing.result import ImputeResult
from anomalo.jobs.part import Found, Part
from anomalo.jobs.sharding import Work
from anomalo.persistence.atomic import atomic_folder
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.reading.images.rows import IMAGE_FILE, MASK_FILE, PATH
from anomalo.tabular.writing.writer import TableWriter
from anomalo.workspace.workspace import RunRecord

FILLED, TABLE = "filled", "filled.parquet"
"""The folder of the filled images in a run, and its table of them."""


@dataclass
class Inpainting:
    """One inpainting, from the source to the run's folder and the output.

    Parameters
    ----------
    output : Path or None
        A folder that does not exist yet, for the filled images.
    """

    work: Work
    encoder: ImageEncoder
    output: Path | None
    rows: int = 0
    pixels: int = 0
    pictures: int = 0

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all images that have hidden pixels, and a table of them; return the run's summary."""
        filled, pictures = folder / FILLED, folder / FOLDER
        filled.mkdir()
        pictures.mkdir()
        with TableWriter(folder / TABLE) as table:
            for part in self.work.parts("pixels", fill_pixels):
                self.rows += len(part.rows)
                table.write(self._written(part, filled, pictures))
                self.work.context.report_rows(self.rows, "images")
        if self.output is not None:
            with atomic_folder(self.output) as place:
                shutil.copytree(filled, place, dirs_exist_ok=True)
        return {
            "rows": self.rows,
            "filled": {"pixels": self.pixels} if self.pixels else {},
            "draws": 0,
            "output": None if self.output is None else str(self.output.absolute()),
            "warnings": [],
        }

    def result(self, run: RunRecord) -> ImputeResult:
        """Return the result of `write`."""
        filled = {"pixels": self.pixels} if self.pixels else {}
        return ImputeResult(run, self.output or run.path / FILLED, self.rows, filled, self.work.warnings, True)

    def _written(self, part: Part, folder: Path, pictures: Path) -> pa.RecordBatch:
        """Write the filled images of a part, pictures of the first ones, and return one line for each."""
        names = []
        pixels = self.encoder.pixels(part.arrays["point"])
        counts = part.arrays["hidden"].any(axis=1).sum(axis=(1, 2)).tolist()
        paths = part.batch.column(PATH).to_pylist()
        files = zip(*(part.batch.column(name).to_pylist() for name in (IMAGE_FILE, MASK_FILE)), strict=True)
        for at, (path, (file, mask)) in enumerate(zip(paths, files, strict=True)):
            names.append(safe_name(path) if counts[at] else None)
            if counts[at]:
                where = folder / safe_name(path)
                if where.exists():
                    raise OutputError(f"two images are written as {where.name}; give them different names")
                where.parent.mkdir(parents=True, exist_ok=True)
                where.write_bytes(png(as_bytes(self._in_its_size(file, mask, pixels[at]))))
                if self.pictures < PICTURES:
                    hidden = part.arrays["hidden"][at].any(axis=0)
                    write_filled(pictures, int(part.rows[at]), pixels[at], ~hidden)
                    self.pictures += 1
        self.pixels += sum(counts)
        columns = {"row": pa.array(part.rows), PATH: pa.array(paths, pa.string()), "pixels": pa.array(counts)}
        return pa.RecordBatch.from_pydict(columns | {"file": pa.array(names, pa.string())})

    def _in_its_size(self, file: str, mask: str | None, fill: Floats) -> Floats:
        """Return an image as it is, but for the hidden pixels, which are those of the fill, enlarged."""
        image, seen = decoded(file, None, self.encoder.layout.shape[0])
        height, width = seen.shape
        if mask is not None:
            seen = seen & ~decoded_mask(mask, (height, width))
        return np.where(seen[:, :, None], image, resized(fill, (height, width)))


def fill_pixels(fitted: Fitted, data: Encoded, part: Part) -> Found:
    """Return the images [n, C, H, W] with their fills, and which pixels these are."""
    return {"point": fitted.impute(data).point, "hidden": ~data.observed}, {}
