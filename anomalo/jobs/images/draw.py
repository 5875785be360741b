"""Draw images with a saved generator, each with the training image that is nearest to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.errors import SourceError
from anomalo.jobs.context import JobContext
from anomalo.jobs.images.nearest import NearestImages
from anomalo.jobs.images.pictures import as_bytes, png
from anomalo.models.run import LocalRun
from anomalo.persistence.atomic import atomic_folder
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.images.rows import PATH
from anomalo.tabular.writing.writer import TableWriter
from anomalo.workspace.workspace import ModelRecord

FOLDER, TABLE, SHEET = "synthetic", "images.csv", "sheet.png"
"""The folder of the images in a run; in it, the table of them, and the contact sheet."""
CHUNK = 64
"""Images are drawn so many at a time, each time with another seed, and cut: the first do not depend on the rest."""
AT_ONCE = 1 << 24
"""Channels of pixels of drawn images that are in memory at a time, at most; the training images are read for each."""
SHOWN, PAIRS = 48, 6
"""Images on the contact sheet, and how many of them, each with its nearest training image, stand side by side."""
YARDSTICK = 200
"""So many training images say how near images are to each other."""
COPY = 0.01
"""An image nearer to a training image than this share of these are to each other may be a copy."""


@dataclass
class Drawing:
    """Draws images of one model, and writes them.

    Parameters
    ----------
    label : int or None
        The class that is asked for.
    """

    context: JobContext
    record: ModelRecord
    fitted: Fitted
    encoder: ImageEncoder
    count: int
    label: int | None
    seed: int
    device: str
    output: Path | None
    warnings: list[str] = field(default_factory=list)
    _distances: list[Scores] = field(default_factory=list)
    _usual: Scores | None = None

    def write(self, folder: Path) -> dict[str, Any]:
        """Write images, table and contact sheet; return the run's summary."""
        place = folder / FOLDER
        place.mkdir()
        with TableWriter(place / TABLE) as table:
            for first, drawn in self._drawn():
                table.write(self._written(place, first, drawn))
                self.context.report_rows(first + len(drawn), "images")
        if self.output is not None:
            with atomic_folder(self.output) as target:
                shutil.copytree(place, target, dirs_exist_ok=True)
        return {"rows": self.count, "redrawn": 0, "repaired": 0, "seed": self.seed} | self._nearness()

    def _drawn(self) -> Iterator[tuple[int, Encoded]]:
        """Yield the number of the first of some drawn images, and these: as many as are in memory at a time."""
        layout = self.encoder.layout
        chunks = max(1, AT_ONCE // int(np.prod(layout.shape)) // CHUNK)
        given = Encoded.blank(layout, CHUNK)
        if self.label is not None:
            given = replace(given, target=np.full(CHUNK, float(self.label)))
        for first in range(0, self.count, chunks * CHUNK):
            numbers = range(first // CHUNK, -(-min(first + chunks * CHUNK, self.count) // CHUNK))
            parts = [self.fitted.sample(given, self._run(number)) for number in numbers]
            yield first, Encoded.concatenate(parts).take(slice(0, self.count - first))

    def _run(self, chunk: int) -> LocalRun:
        seed = int(np.random.SeedSequence([self.seed, chunk]).generate_state(1)[0])
        return LocalRun(seed=seed, device=self.device)

    def _written(self, folder: Path, first: int, drawn: Encoded) -> pa.RecordBatch:
        """Write some images, of the first ones a contact sheet, and return a line for each."""
        pixels = self.encoder.pixels(drawn.values)
        names = [f"{first + at:06}.png" for at in range(len(drawn))]
        for name, image in zip(names, pixels, strict=True):
            (folder / name).write_bytes(png(as_bytes(image)))
        nearest = self._nearest(pixels)
        if first == 0:
            (folder / SHEET).write_bytes(png(as_bytes(contact_sheet(pixels, nearest))))
        distances = [] if nearest is None else [None if np.isinf(d) else round(float(d), 4) for d in nearest.distance]
        columns = {PATH: pa.array(names), "seed": pa.array([self.seed] * len(names), pa.int64())}
        classes = self.fitted.facts.get("classes")
        if classes and drawn.target is not None:
            columns["class"] = pa.array([classes[int(label)] for label in drawn.target])
        empty: list[Any] = [None] * len(names)
        columns["nearest"] = pa.array(nearest.path if nearest else empty, pa.string())
        columns["distance"] = pa.array(distances or empty, pa.float64())
        return pa.RecordBatch.from_pydict(columns)

    def _nearest(self, pixels: Floats) -> NearestImages | None:
        """Return the nearest training images; None, with a warning, if these cannot be read again."""
        found, usual, row = NearestImages(pixels), None, 0
        options = ReadOptions.from_json(self.record.summary.get("reading"))
        try:
            for batch in self.context.registry.read(self.record.source, options):
                real, paths = self.encoder.pixels(self.fitted.encode(batch, row).values), batch.column(PATH).to_pylist()
                if usual is None and self._usual is None:
                    usual = NearestImages(real[:YARDSTICK], np.arange(min(len(real), YARDSTICK)))
                for each in (found, usual):
                    if each is not None:
                        each.see(real, paths, row)
                row += len(real)
        except SourceError as error:
            self.warnings = [f"the training images cannot be read again, so the nearest ones are not known: {error}"]
            return None
        self._usual = self._usual if usual is None else usual.distance
        self._distances.append(found.distance)
        return found

    def _nearness(self) -> dict[str, Any]:
        """Return how near the images are to training images, as these are to each other; nothing if it is not known."""
        if not self._distances or self._usual is None or np.isinf(self._usual).all():
            return {}
        distance = np.concatenate(self._distances)
        return {
            "distance": {"median": float(np.median(distance)), "of_training_images": float(np.median(self._usual))},
            "copies": int((distance < np.quantile(self._usual, COPY)).sum()),
        }


def contact_sheet(pixels: Floats, nearest: NearestImages | None) -> Floats:
    """Return the first images [n, H, W, C] as one picture, each with its nearest training image to the right.

    Examples
    --------
    >>> contact_sheet(np.zeros((7, 4, 5, 1), np.float32), None).shape
    (11, 71, 1)
    """
    count, height, width, colours = pixels[:SHOWN].shape
    across = 2 * width + 2
    rows = -(-count // PAIRS)
    sheet = np.ones((rows * (height + 2) - 1, PAIRS * across - 1, colours), dtype=np.float32)
    for at in range(count):
        top, left = at // PAIRS * (height + 2), at % PAIRS * across
        sheet[top : top + height, left : left + width] = pixels[at]
        if nearest is not None:
            sheet[top : top + height, left + width : left + 2 * width] = nearest.pixels[at]
    return sheet
