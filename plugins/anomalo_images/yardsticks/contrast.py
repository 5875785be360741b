"""Local contrast: an image as deviations from its surroundings, in units of their own size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from anomalo.plugin import Floats, Mask
from anomalo_images.pooling import Energies, smoothed

WIDTH = 8.0
"""Width of the Gaussian surroundings, in pixels."""
LEAST = 0.1
"""Deviations of surroundings below this, in encoded units, are not enlarged further: they are noise."""


class Contrast(NamedTuple):
    """An image [C, H, W] as (image - mean) / deviation of the surroundings; 0 where it is hidden."""

    values: Energies
    mean: Energies
    deviation: Energies

    def undone(self, values: Energies) -> Floats:
        """Return contrasts as an image, float32."""
        return (self.mean + values * self.deviation).astype(np.float32)


def local_contrast(image: Floats, seen: Mask) -> Contrast:
    """Return the local contrast of an image [C, H, W].

    Reference: Jarrett, Kavukcuoglu, Ranzato and LeCun (2009), What is the best multi-stage architecture for object
    recognition? ICCV, section 2.1.

    Examples
    --------
    >>> flat = np.full((1, 8, 8), 0.7, dtype=np.float32)
    >>> bool(np.abs(local_contrast(flat, flat > 0).values).max() < 1e-6)
    True
    """
    mean = _everywhere(image.astype(np.float64), seen)
    difference = np.where(seen, image - mean, 0.0)
    deviation = np.sqrt(_everywhere(np.square(difference), seen) + LEAST**2)
    return Contrast(difference / deviation, mean, deviation)


def _everywhere(values: Energies, seen: Mask) -> Energies:
    """Return Gaussian means of what is seen, also at hidden pixels: the mean of the image there."""
    found = smoothed(values, seen, WIDTH)
    rest = float(values[seen].mean()) if seen.any() else 0.0
    return np.where(seen, found, rest)
