"""The encoder of images: files of pixels as numbers [n, C, H, W], all of one size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded, Floats, Mask
from anomalo.encoding.images.decoding import decoded, decoded_mask, image_size
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.scaling import LINEAR, expand
from anomalo.errors import SourceError, UsageError
from anomalo.tabular.column import IMAGE
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.reading.images.rows import IMAGE_FILE, MASK_FILE
from anomalo.tabular.schema import Schema

LONGEST = 128
"""The most pixels of a side: larger images are reduced."""
LEAST = 4
"""The fewest: smaller images are enlarged."""
LOOKED_AT = 500
"""Images from which size, colours, centre and scale are learned, at most."""
GREY = 2 / 255
"""An image whose colours differ by no more than this is grey."""


class ImageEncoder:
    """Images as numbers [n, C, H, W]: one block for each channel, grey or red, green and blue.

    The size is the median of the training images', reduced to `LONGEST`; others are stretched to it. A channel is
    centred at its mean and scaled by its standard deviation, or more if the range of pixels would not be linear.
    """

    modality: ClassVar[str] = IMAGE

    def __init__(self, layout: Layout | None = None) -> None:
        self._layout = layout or Layout(self.modality, (0, 0, 0), (), axis=0)

    @property
    def layout(self) -> Layout:
        """The layout learned by `fit`."""
        return self._layout

    def fit(self, columns: Columns, schema: Schema) -> Self:
        """Learn size, colours, centre and scale from some of the images.

        Raises
        ------
        SourceError
            An image cannot be read.
        UsageError
            The rows are no images.
        """
        files, masks = _files(columns, IMAGE_FILE), _files(columns, MASK_FILE)
        found = {(file, mask or "") for file, mask in zip(files, masks, strict=True) if file}
        some = sorted(found, key=lambda one: (len(one[0]), one))  # the images of an array by their numbers
        some = [some[at] for at in np.unique(np.linspace(0, len(some) - 1, LOOKED_AT).astype(np.intp))]
        size = _common_size([file for file, _ in some])
        pixels = np.stack([decoded(file, size)[0] for file, _ in some])
        if float(np.ptp(pixels, axis=3).max()) <= GREY:
            pixels = pixels.mean(axis=3, keepdims=True)
        hidden = np.stack([decoded_mask(mask, size) if mask else np.zeros(size, dtype=np.bool_) for _, mask in some])
        names = ("grey",) if pixels.shape[3] == 1 else ("red", "green", "blue")
        blocks = tuple(
            _block(name, at, pixels[..., at][~hidden], float(hidden.mean())) for at, name in enumerate(names)
        )
        self._layout = _layout(size, blocks)
        return self

    def encode(self, columns: Columns, label: bool = False) -> Encoded:
        """Decode the images of one batch; a pixel under a mask, or fully transparent, is not observed.

        Raises
        ------
        SourceError
            An image cannot be read.
        """
        files, masks = _files(columns, IMAGE_FILE), _files(columns, MASK_FILE)
        colours, *size = self._layout.shape
        height, width = size
        values = np.zeros((columns.rows, *self._layout.shape), dtype=np.float32)
        observed = np.zeros(values.shape, dtype=np.bool_)
        offset, scale = np.array([(block.offset, block.scale) for block in self._layout.blocks], dtype=np.float32).T
        for row, (file, mask) in enumerate(zip(files, masks, strict=True)):
            if file is None:
                raise SourceError(f"row {row} names no image")
            pixels, seen = decoded(file, (height, width), colours)
            if mask is not None:
                seen = seen & ~decoded_mask(mask, (height, width))
            observed[row] = seen
            values[row] = np.where(seen[:, :, None], (pixels - offset) / scale, 0).transpose(2, 0, 1)
        return Encoded(values, observed, self._layout)

    def decode(self, values: Floats, position: int, round: bool = True) -> pa.Array:
        """Return the brightness, from 0 to 1, of encoded values [n] of one channel."""
        block = self._layout.blocks[position]
        return pa.array(expand(values, block.offset, block.scale).clip(0, 1))

    def pixels(self, values: Floats) -> Floats:
        """Return images of encoded values [n, C, H, W] as pixels from 0 to 1, float32 [n, H, W, C]."""
        blocks = self._layout.blocks
        channels = [expand(values[:, at], block.offset, block.scale).clip(0, 1) for at, block in enumerate(blocks)]
        return np.stack(channels, axis=3).astype(np.float32)

    def fill(self, batch: pa.RecordBatch, point: Floats, where: Mask, round: bool = True) -> pa.RecordBatch:
        """Refuse: pixels are in no column of the batch.

        Raises
        ------
        UsageError
            Always.
        """
        raise UsageError("rows of modality 'image' are files, not cells; anomalo impute writes them as files")

    def to_json(self) -> dict[str, Any]:
        """Return the layout as JSON-ready values."""
        return {"layout": self._layout.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], schema: Schema) -> Self:
        """Rebuild an encoder from `to_json`."""
        return cls(Layout.from_json(value["layout"]))


def _files(columns: Columns, name: str) -> list[str | None]:
    found = columns.values.get(name)
    if not isinstance(found, Texts):
        raise UsageError(f"images are read from a source of images; got a table without {name!r}")
    files: list[str | None] = found.expand().to_pylist()
    return files


def _common_size(files: list[str]) -> tuple[int, int]:
    """Return the median height and width, reduced in proportion so that none is more than `LONGEST`."""
    if not files:
        raise SourceError("there are no images to learn from; give a folder with some")
    height, width = np.median([image_size(file) for file in files], axis=0)
    share = min(1.0, LONGEST / max(height, width))
    return max(round(height * share), LEAST), max(round(width * share), LEAST)


def _block(name: str, position: int, pixels: Floats, missing: float) -> Block:
    """Return the block of a channel, by all its pixels that are seen."""
    offset = float(pixels.mean(dtype=np.float64)) if len(pixels) else 0.5
    reach = max(offset, 1 - offset)
    scale = max(float(pixels.std(dtype=np.float64)) if len(pixels) else 0.0, reach / LINEAR)
    # As `encode` computes them, so that no pixel lies outside by a rounding.
    low, high = ((np.array([0, 1], dtype=np.float32) - np.float32(offset)) / np.float32(scale)).tolist()
    return Block(name, "number", position, offset=offset, scale=scale, low=low, high=high, missing=missing)


def _layout(size: tuple[int, int], blocks: tuple[Block, ...]) -> Layout:
    return Layout(ImageEncoder.modality, (len(blocks), *size), blocks, axis=0)
