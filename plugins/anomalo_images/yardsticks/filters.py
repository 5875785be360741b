"""The Mahalanobis distance of each pixel's responses to a bank of filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.ndimage import gaussian_filter

from anomalo.plugin import Encoded, Floats, Mask, Run, param
from anomalo_images.pooling import Energies
from anomalo_images.yardsticks.contrast import local_contrast
from anomalo_images.yardsticks.local_model import LocalModel

ORDERS = ((0, 1), (1, 0), (0, 2), (1, 1), (2, 0))
"""The derivatives, by rows and by columns: the gradient and the Hessian."""


@dataclass(kw_only=True)
class Filters(LocalModel):
    """Expects the responses of a pixel to derivatives of Gaussians to be as usual.

    The energy of a pixel is (r - m)' S⁻¹ (r - m), with its responses r and their mean m and covariance S in training;
    what is expected of it is the mean of its surroundings.

    Reference: Koenderink and van Doorn (1987), Representation of local geometry in the visual system, Biological
    Cybernetics 55, for the filters; Mahalanobis (1936) for the distance.
    """

    name = "filters"

    power: float = param(8.0, low=0.25, high=16.0, help="How much more the most anomalous pixels count than others.")
    scales: tuple[int, ...] = param((1, 2, 4), low=1, high=32, help="Widths of the Gaussians, in pixels.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the mean and covariance of the responses of all pixels that are seen."""
        count, size = 0, len(ORDERS) * len(self.scales) * data.layout.shape[0]
        total, products = np.zeros(size), np.zeros((size, size))
        for image, seen in zip(data.values, data.observed, strict=True):
            responses = self._responses(image, seen)[:, seen.all(axis=0)]
            count += responses.shape[1]
            total += responses.sum(axis=1)
            products += responses @ responses.T
        self.mean_ = total / max(count, 1)
        covariance = products / max(count, 1) - np.outer(self.mean_, self.mean_)
        usual = float(np.trace(covariance)) / len(covariance)
        whole = covariance + (1e-6 * usual + 1e-9) * np.eye(len(covariance))
        self.whitening_ = np.linalg.inv(np.linalg.cholesky(whole))
        self.learn_level(data, self.energies(data)[0])
        return self

    def of_image(self, image: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the squared distance of each pixel's responses, and the mean of its surroundings."""
        responses = self._responses(image, seen)
        white = self.whitening_ @ (responses.reshape(len(responses), -1) - self.mean_[:, None])
        energy = np.square(white).mean(axis=0).reshape(1, *image.shape[1:])
        return np.where(seen, energy, 0.0), local_contrast(image, seen).mean.astype(np.float32)

    def _responses(self, image: Floats, seen: Mask) -> Energies:
        """Return the responses to all filters in all channels, [filters, H, W]."""
        contrast = local_contrast(image, seen).values
        return np.stack(
            [
                gaussian_filter(channel, scale, order=order, mode="nearest") * scale ** sum(order)
                for channel in contrast
                for scale in self.scales
                for order in ORDERS
            ]
        )
