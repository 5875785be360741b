"""The residual of an image's patches to the principal components of training patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Mask, Run, param
from anomalo_images.pooling import Energies
from anomalo_images.yardsticks.contrast import Contrast, local_contrast
from anomalo_images.yardsticks.local_model import LocalModel

SAMPLED = 40_000
"""Patches of training images from which components are learned, at most."""

Patch = NDArray[np.float64]


@dataclass(kw_only=True)
class Patches(LocalModel):
    """Expects each patch of an image, in local contrast, to be a combination of few components.

    Around every pixel lies a patch; its energy is |p|² - |B p|², with B the principal components of training patches.
    What is expected of a pixel is the mean of what all patches that it lies in make of it.

    Reference: Shyu, Chen, Sarinnapakorn and Chang (2003), A novel anomaly detection scheme based on principal component
    classifier; on patches as of Sirovich and Kirby (1987).
    """

    name = "patches"

    power: float = param(4.0, low=0.25, high=16.0, help="How much more the most anomalous pixels count than others.")
    size: int = param(7, low=2, high=64, help="Width and height of a patch, in pixels.")
    components: int = param(12, low=1, high=1000, help="Principal components of training patches that are kept.")
    contrast: bool = param(True, help="Whether patches are in units of the contrast around them.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the components from random patches."""
        share = min(1.0, SAMPLED / max(len(data) * data.values[0, 0].size, 1))
        found = []
        for image, seen in zip(data.values, data.observed, strict=True):
            patches = self._patches(self._contrast(image, seen).values)
            found.append(patches[run.rng.random(len(patches)) < share])
        sample = np.concatenate(found)
        moments = sample.T @ sample / max(len(sample), 1)
        self.basis_ = np.ascontiguousarray(np.linalg.eigh(moments)[1][:, ::-1][:, : self.components].T)
        self.learn_level(data, self.energies(data)[0])
        return self

    def of_image(self, image: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the energy of the patch around each pixel, and the mean of what patches make of it."""
        contrast = self._contrast(image, seen)
        patches = self._patches(contrast.values)
        codes = patches @ self.basis_.T
        energy = (np.square(patches).sum(axis=1) - np.square(codes).sum(axis=1)).clip(min=0) / patches.shape[1]
        expected = contrast.undone(self._joined(codes @ self.basis_, image.shape))
        return np.where(seen, energy.reshape(1, *image.shape[1:]), 0.0), expected

    def _contrast(self, image: Floats, seen: Mask) -> Contrast:
        if self.contrast:
            return local_contrast(image, seen)
        plain = np.where(seen, image, 0.0).astype(np.float64)
        return Contrast(plain, np.zeros_like(plain), np.ones_like(plain))

    def _patches(self, values: Patch) -> Patch:
        """Return the patch around each pixel of [C, H, W], [H W, C size²]; the image is mirrored at its ends."""
        before = self.size // 2
        after = self.size - 1 - before
        padded = np.pad(values, ((0, 0), (before, after), (before, after)), mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (self.size, self.size), axis=(1, 2))
        return np.ascontiguousarray(windows.transpose(1, 2, 0, 3, 4)).reshape(values[0].size, -1)

    def _joined(self, patches: Patch, shape: tuple[int, ...]) -> Patch:
        """Return the mean of all patches that a pixel lies in, [C, H, W]."""
        colours, height, width = shape
        layers = patches.reshape(height, width, colours, self.size, self.size).transpose(2, 3, 4, 0, 1)
        end = self.size - 1
        total, count = np.zeros((colours, height + end, width + end)), np.zeros((height + end, width + end))
        for row in range(self.size):
            for column in range(self.size):
                here = slice(row, row + height), slice(column, column + width)
                total[:, *here] += layers[:, row, column]
                count[here] += 1
        before = self.size // 2
        inside = slice(before, before + height), slice(before, before + width)
        return np.asarray(total[:, *inside] / count[inside])
