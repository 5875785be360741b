"""From the energy of each pixel to the score of its image, of which each pixel has a part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from anomalo.plugin import Cells, Encoded, Filled, Floats, Mask, Model, Scores, param

Energies = NDArray[np.float64]
"""How anomalous each pixel is, from 0, [n, C, H, W] or of one image [C, H, W]; 0 where it is hidden."""
MOST = 1e18
"""Energies count up to so many times the usual: to the highest power, too, scores are finite."""


@dataclass(kw_only=True)
class PixelModel(Model):
    """Scores images by the energies of their pixels; a subclass gives these, and what is expected.

    The score is the mean over the pixels that are seen of (energy / its mean in training) to a power: at 1 all count
    alike, at a high one only the most anomalous. Each pixel's part of it is its score, so that the parts of an image
    sum to the image's score, and pixels of different images can be compared.

    Reference for the generalised mean as pooling: Boureau, Ponce and LeCun (2010), A theoretical analysis of feature
    pooling in visual recognition, ICML.
    """

    modalities = ("image",)
    score_unit = "times the usual"

    blur: float = param(1.0, low=0.0, high=50.0, help="Width of the Gaussian that smooths energies, in pixels.")
    power: float = param(2.0, low=0.25, high=16.0, help="How much more the most anomalous pixels count than others.")

    level_ = 1.0

    def energies(self, data: Encoded) -> tuple[Energies, Floats]:
        """Return the smoothed energies of images [n, C, H, W], and what is expected of their pixels, float32."""
        raise NotImplementedError

    def learn_level(self, data: Encoded, energies: Energies) -> None:
        """Learn the mean energy of pixels, by those of training images."""
        mean = float(energies.sum() / max(int(data.observed.sum()), 1))
        self.level_ = mean if mean > 0 else 1.0

    def explain(self, data: Encoded) -> Cells:
        """Return each pixel's part of its image's score, and what is expected of it."""
        energies, expected = self.energies(data)
        seen = data.observed.reshape(len(data), -1).sum(axis=1).clip(min=1)
        score = np.minimum(energies / self.level_, MOST) ** self.power
        return Cells(score / seen[:, None, None, None], expected)

    def score(self, data: Encoded) -> Scores:
        """Return the sum of each image's parts, float64 [n]."""
        return np.array([part.sum() for part in self.explain(data).contribution], dtype=np.float64)


@dataclass(kw_only=True)
class ResidualModel(PixelModel):
    """Scores pixels by how far they are from what is expected, and fills hidden ones with it.

    The residual is smoothed before it is squared: an edge that is expected a pixel beside costs little. Energies are
    divided by a power of the image's contrast, with which residuals grow: the mean squared distance of its pixels from
    their median.
    """

    power: float = param(1.0, low=0.25, high=16.0, help="How much more the most anomalous pixels count than others.")
    relative: float = param(0.5, low=0.0, high=1.0, help="Power of the image's contrast that energies are divided by.")

    def expected(self, data: Encoded) -> Floats:
        """Return what is expected of all pixels of images, those under a mask too, float32 [n, C, H, W]."""
        raise NotImplementedError

    def energies(self, data: Encoded) -> tuple[Energies, Floats]:
        """Return the squares of smoothed residuals, relative to the image's contrast, and what is expected."""
        expected = self.expected(data)
        return self.squared(data, expected), expected

    def squared(self, data: Encoded, expected: Floats) -> Energies:
        """Return the squares of smoothed residuals to some images, relative to the contrast."""
        found = np.zeros(data.values.shape)
        for row, (image, guess, seen) in enumerate(zip(data.values, expected, data.observed, strict=True)):
            residual = smoothed(image.astype(np.float64) - guess, seen, self.blur)
            found[row] = np.square(residual) / contrast(image, seen) ** self.relative
        return found

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden pixels with what is expected of them; there are no draws."""
        return Filled(np.where(data.observed, data.values, self.expected(data)))


LEAST = 0.01
"""An image of less contrast than this, in encoded units squared, counts as one of so much."""


def contrast(image: Floats, seen: Mask) -> float:
    """Return the mean squared distance of an image's pixels that are seen from their median, at least `LEAST`."""
    values = image[seen].astype(np.float64)
    return max(float(np.square(values - np.median(values)).mean()), LEAST) if len(values) else LEAST


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
    total: Energies = gaussian_filter(np.where(seen, values, 0.0), widths, mode="nearest")
    if seen.all():
        return total
    weight = gaussian_filter(seen.astype(np.float64), widths, mode="nearest")
    found: Energies = np.divide(total, weight, out=np.zeros_like(total), where=seen & (weight > 1e-9))
    return found
