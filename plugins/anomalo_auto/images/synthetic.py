"""Synthetic defects in training images: by which members are compared without a label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded

KINDS = 3
"""A piece of another image, a shifted copy of the same one, and a shade."""
SHADES = 1.0, 3.0
"""A shade differs by so many standard deviations of the image's pixels."""

Pixels = NDArray[np.float32]


def with_defects(data: Encoded, rng: np.random.Generator) -> Encoded:
    """Return images with a defect in each: an ellipse, from a blob to a scratch, is filled with what is not its own.

    Reference: Li, Sohn, Yoon and Pfister (2021), CutPaste: self-supervised learning for anomaly detection and
    localization, CVPR.
    """
    values = data.values.copy()
    for row in range(len(values)):
        image = data.values[row]
        where = _ellipse(image.shape[1:], rng)
        kind = rng.integers(KINDS)
        if kind == 0:
            content = data.values[rng.integers(len(values))]
        elif kind == 1:
            content = np.roll(image, rng.integers(1, max(image.shape[1:]), 2), (1, 2))
        else:
            content = image + np.float32(rng.choice([-1, 1]) * rng.uniform(*SHADES) * image.std())
        values[row] = image + where * (content - image)
    return Encoded(np.where(data.observed, values, 0), data.observed, data.layout)


def _ellipse(size: tuple[int, ...], rng: np.random.Generator) -> Pixels:
    """Return 1 inside an ellipse and 0 outside, [H, W]."""
    row, column = np.indices(size) - (rng.random(2) * size)[:, None, None]
    angle = rng.random() * np.pi
    along, across = row * np.sin(angle) + column * np.cos(angle), row * np.cos(angle) - column * np.sin(angle)
    long = 2 * (min(size) / 8) ** rng.random() if min(size) > 8 else 2.0  # from 2 pixels to a quarter of the image
    narrow = max(1.0, long * rng.uniform(0.2, 1.0))
    inside = np.square(along / long) + np.square(across / narrow) <= 1
    return np.asarray(inside, dtype=np.float32)
