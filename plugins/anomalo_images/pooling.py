"""From the energy of each pixel to the score of its image, of which each pixel has a part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from anomalo.plugin import Cells, Encoded, Floats, Mask, Model, Scores, param

Energies = NDArray[np.float64]
"""How far each pixel is from what is expected of it, squared, [C, H, W] of an image; 0 where it is hidden."""


@dataclass(kw_only=True)
class PixelModel(Model):
    """Scores images by the energies of their pixels; a subclass gives these, and what is expected.

    A pixel counts with its surroundings: energies are smoothed. The score is the mean over the pixels that are seen of
    (smoothed energy / its mean in training) to a power: at 1 all count alike, at a high one only the strangest. Each
    pixel's part of it is its score, so that the parts of an image sum to the image's score, and pixels of different
    images can be compared.

    Reference for the generalised mean as pooling: Boureau, Ponce and LeCun (2010), A theoretical analysis of feature
    pooling in visual recognition, ICML.
    """

    modalities = ("image",)

    blur: float = param(1.0, low=0.0, high=50.0, help="Width of the Gaussian that smooths energies, in pixels.")
    power: float = param(2.0, low=0.25, high=16.0, help="How much more the strangest pixels count than others.")

    level_ = 1.0

    def energies(self, image: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the energies [C, H, W] of one image [C, H, W], and what is expected of its pixels, float32."""
        raise NotImplementedError

    def all_energies(self, data: Encoded) -> tuple[Energies, Floats]:
        """Return the energies of images [n, C, H, W], and what is expected; by default one image at a time."""
        energies = np.zeros(data.values.shape)
        expected = np.zeros(data.values.shape, dtype=np.float32)
        for row, (image, seen) in enumerate(zip(data.values, data.observed, strict=True)):
            energies[row], expected[row] = self.energies(image, seen)
        return energies, expected

    def learn_level(self, data: Encoded) -> None:
        """Learn the mean smoothed energy of training images."""
        smooth = self._smooth(self.all_energies(data)[0], data.observed)
        total = float(smooth.sum() / max(int(data.observed.sum()), 1))
        self.level_ = total if total > 0 else 1.0

    def explain(self, data: Encoded) -> Cells:
        """Return each pixel's part of its image's score, and what is expected of it."""
        energies, expected = self.all_energies(data)
        parts = (self._smooth(energies, data.observed) / self.level_) ** self.power
        seen = data.observed.reshape(len(data), -1).sum(axis=1).clip(min=1)
        return Cells(parts / seen[:, None, None, None], expected)

    def score(self, data: Encoded) -> Scores:
        """Return the sum of each image's parts, float64 [n]."""
        return np.array([part.sum() for part in self.explain(data).contribution], dtype=np.float64)

    def _smooth(self, energies: Energies, seen: Mask) -> Energies:
        """Return energies [n, C, H, W] smoothed over the pixels that are seen; 0 elsewhere."""
        return np.array([smoothed(one, here, self.blur) for one, here in zip(energies, seen, strict=True)]).reshape(
            energies.shape
        )


def smoothed(values: Energies, seen: Mask, width: float) -> Energies:
    """Return the Gaussian mean of the values [C, H, W] that are seen around each pixel; 0 at those that are not.

    Reference: Knutsson and Westin (1993), Normalized and differential convolution, CVPR.

    Examples
    --------
    >>> values, seen = np.ones((1, 5, 5)), np.ones((1, 5, 5), dtype=bool)
    >>> seen[0, 2, 2] = False
    >>> smoothed(values, seen, 1.0).round(3)[0, 2].tolist()
    [1.0, 1.0, 0.0, 1.0, 1.0]
    """
    if width == 0:
        return np.where(seen, values, 0.0)
    widths = (0.0, width, width)
    total = gaussian_filter(np.where(seen, values, 0.0), widths, mode="nearest")
    if seen.all():
        return total
    weight = gaussian_filter(seen.astype(np.float64), widths, mode="nearest")
    found: Energies = np.divide(total, weight, out=np.zeros_like(total), where=seen & (weight > 1e-9))
    return found
