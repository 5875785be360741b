"""Models that look at each pixel and its surroundings, one image at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalo.plugin import Encoded, Floats, Mask
from anomalo_images.pooling import Energies, PixelModel, smoothed


@dataclass(kw_only=True)
class LocalModel(PixelModel):
    """Smooths the energies that a subclass gives of one image."""

    def of_image(self, image: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the energies of one image [C, H, W], in any number of channels, and what is expected of its pixels."""
        raise NotImplementedError

    def energies(self, data: Encoded) -> tuple[Energies, Floats]:
        """Return the smoothed energies of images, and what is expected."""
        found = np.zeros(data.values.shape)
        expected = np.zeros(data.values.shape, dtype=np.float32)
        for row, (image, seen) in enumerate(zip(data.values, data.observed, strict=True)):
            energies, expected[row] = self.of_image(image, seen)
            found[row] = smoothed(np.broadcast_to(energies, image.shape), seen, self.blur)
        return found, expected
