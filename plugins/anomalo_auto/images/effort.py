"""How much work each effort allows for images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from anomalo.plugin import Layout, Plan


@dataclass(frozen=True)
class ImageEffort:
    """The limits of a fit.

    Attributes
    ----------
    members : str
        The models that are combined, where none are named.
    images : int
        Images that are learned from, at most: a random sample of more.
    folds : int
        Parts of the images; every member is fitted once without each.
    epochs : int
        Passes of a network over the images, at most.
    pixels : float
        Millions of pixels that a network sees in all of them, at most.
    """

    members: str
    images: int
    folds: int
    epochs: int
    pixels: float


YARDSTICKS = "local_pca,oja,patches,filters"
EFFORTS = {
    "fast": ImageEffort(YARDSTICKS, 2_000, 2, 10, 10.0),
    "default": ImageEffort(YARDSTICKS, 5_000, 3, 40, 60.0),
    "thorough": ImageEffort(f"{YARDSTICKS},conv_denoising", 20_000, 3, 150, 200.0),
}

PER_IMAGE, PER_CELL = 8e-4, 8e-7
"""Seconds for each image, and for each of its cells, in one fit of one yardstick, its trials included. Measured by
`benchmarks/images.py`."""
PER_PIXEL = 2.5e-6
"""Seconds for each pixel that a network sees in training. Measured for `conv_denoising`."""


def plan(effort: ImageEffort, members: Sequence[str], layout: Layout, images: int) -> Plan:
    """Return what a fit is going to do; it depends on nothing but these."""
    learned, cells = min(images, effort.images), math.prod(layout.shape)
    networks = [name for name in members if name.startswith("conv")]
    fit = (len(members) - len(networks)) * learned * (PER_IMAGE + PER_CELL * cells)
    fit += len(networks) * min(effort.epochs * learned * cells, effort.pixels * 1e6) * PER_PIXEL
    size = f"{learned:,} images" + (f", a sample of {images:,}" if learned < images else "")
    text = f"{', '.join(members)}, each fitted {effort.folds + 1} times on {size}"
    scoring = len(members) * images * (PER_IMAGE + PER_CELL * cells)
    return Plan(text, (effort.folds + 1) * fit, 0.0, scoring)
