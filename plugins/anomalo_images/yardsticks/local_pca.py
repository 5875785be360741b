"""The residual of an image to the span of its nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Mask, Run, in_row_blocks, param
from anomalo_images.pooling import ResidualModel

BLOCK = 64
"""Images whose distances are computed together."""
LEVELLED = 200
"""Training images by which the usual residual is learned, each without itself among its neighbours."""
ROUNDS = 2
"""An image with hidden pixels looks for its neighbours so often: at first with those of the mean image."""


@dataclass(kw_only=True)
class LocalPca(ResidualModel):
    """Expects an image to lie in the hyperplane through its nearest training images.

    x' = m + A (A'A + λ I)⁻¹ A' (x - m), where m is the mean of the neighbours and the columns of A are the neighbours
    minus it; the sums of A' (x - m) and A'A run over the pixels that are seen, so that hidden ones are filled too.

    Reference: Vincent and Bengio (2002), K-local hyperplane and convex distance nearest neighbor algorithms, NeurIPS;
    with the penalty λ of their section 4.
    """

    name = "local_pca"

    neighbours: int = param(40, low=1, high=1000, help="Training images that span the hyperplane.")
    ridge: float = param(0.3, low=1e-6, high=100.0, help="Penalty on moves in it, in parts of its variance.")
    most: int = param(2000, low=1, high=100_000, help="Training images that are kept, at most; others are left out.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training images, or a random sample of them."""
        values, seen = data.flat()
        rows = np.sort(run.rng.permutation(len(data))[: self.most])
        count = seen.sum(axis=0).clip(min=1)
        self.mean_ = (np.where(seen, values, 0).sum(axis=0, dtype=np.float64) / count).astype(np.float32)
        self.images_ = np.where(seen[rows], values[rows], self.mean_)
        some = data.take(rows[:LEVELLED])
        self.learn_level(some, self.squared(some, self._projections(some, beside=1)))
        return self

    def expected(self, data: Encoded) -> Floats:
        """Return the projections of images."""
        return self._projections(data)

    def _projections(self, data: Encoded, beside: int = 0) -> Floats:
        """Return the projections to the hyperplanes of the nearest images, beside so many nearer ones."""
        values, seen = data.flat()
        filled, whole = np.where(seen, values, self.mean_), bool(seen.all())
        expected = filled
        for _ in range(1 if whole else ROUNDS):
            near = self._near(filled)[:, min(beside, len(self.images_) - 1) :][:, : self.neighbours]
            rows = zip(values, seen, near, strict=True)
            expected = np.array([self._projected(*row) for row in rows], dtype=np.float32).reshape(values.shape)
            filled = np.where(seen, values, expected)
        return expected.reshape(data.values.shape)

    def _near(self, images: Floats) -> NDArray[np.intp]:
        """Return the numbers of all training images, the nearest first, [n, k]."""
        kept = self.images_.astype(np.float64)
        norms = np.square(kept).sum(axis=1)
        distance = in_row_blocks(images.astype(np.float64), lambda block: norms - 2 * block @ kept.T, BLOCK)
        return np.argsort(distance, axis=1, kind="stable")

    def _projected(self, image: Floats, seen: Mask, near: NDArray[np.intp]) -> Floats:
        kept = self.images_[near].astype(np.float64)
        mean = kept.mean(axis=0)
        span = kept - mean
        observed = span * seen
        gram = observed @ span.T
        penalty = self.ridge * np.trace(gram) / len(gram) + 1e-9
        weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), observed @ (image - mean))
        projected: Floats = (mean + weights @ span).astype(np.float32)
        return projected
