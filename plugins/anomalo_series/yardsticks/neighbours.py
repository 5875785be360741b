"""The distance of windows to the nearest ones of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Mask, Run, param
from anomalo_series.channels import Energies
from anomalo_series.sample import mean_of, sampled
from anomalo_series.window_model import ExpectingModel

LEVELLED = 500
"""Training windows by which the usual energy is learned, about."""


@dataclass(kw_only=True)
class Neighbours(ExpectingModel):
    """Measures the mean squared distance of a window to the nearest training windows, and expects their mean.

    Distances are of the cells that are observed in the window; a cell that a training window lacks counts as its mean.
    Windows are compared as they are: neither their level nor their size is taken out.

    Reference: Ramaswamy, Rastogi and Shim (2000), Efficient algorithms for mining outliers from large data sets,
    SIGMOD, on windows.
    """

    name = "neighbours"

    neighbours: int = param(5, low=1, high=1000, help="Training windows that a window is compared with.")
    most: int = param(5000, low=1, high=1_000_000, help="Training windows that are kept, at most, at random.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training windows, or a random sample of them."""
        matrix = sampled(data, run, self.most)
        kept = np.where(matrix.seen, matrix.values, mean_of(matrix))
        self.windows_ = kept.astype(np.float32)
        self.level_ = self._usual(matrix.seen, data.layout.shape[0])
        return self

    def expected(self, x: Floats, seen: Mask) -> Floats:
        """Return the mean of the nearest windows."""
        return self.windows_[self._near(x, seen)].mean(axis=1).reshape(x.shape)

    def energies(self, x: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the mean squared difference of observed cells to those of the nearest windows, and their mean."""
        near = self._near(x, seen)
        flat, energies = x.reshape(len(x), -1), np.zeros((len(x), self.windows_.shape[1]))
        for number in range(near.shape[1]):
            energies += np.square(flat - self.windows_[near[:, number]])
        energies = np.where(seen, energies.reshape(x.shape) / near.shape[1], 0.0)
        return energies, self.windows_[near].mean(axis=1).reshape(x.shape)

    def _near(self, x: Floats, seen: Mask) -> NDArray[np.intp]:
        """Return the numbers of the nearest training windows, [n, k]."""
        distance = self._distances(x.reshape(len(x), -1), seen.reshape(len(x), -1))
        count = min(self.neighbours, len(self.windows_))
        return np.sort(np.argpartition(distance, count - 1, axis=1)[:, :count], axis=1)

    def _distances(self, flat: Floats, had: Mask) -> Floats:
        """Return the squared distances to training windows, less what is the same for all of them, [n, windows]."""
        squares = np.square(self.windows_)
        norms = squares.sum(axis=1) if had.all() else had.astype(np.float32) @ squares.T
        return norms - 2 * flat @ self.windows_.T

    def _usual(self, seen: Mask, width: int) -> float:
        """Return the mean energy of training windows, each without those that share points with it."""
        some = np.arange(0, len(self.windows_), max(1, len(self.windows_) // LEVELLED))
        flat, had = np.where(seen[some], self.windows_[some], 0), seen[some]
        distance = (
            self._distances(flat, had).astype(np.float64) + np.square(flat, dtype=np.float64).sum(axis=1)[:, None]
        )
        distance[np.abs(some[:, None] - np.arange(len(self.windows_))) < width] = np.inf
        nearest = np.sort(distance, axis=1)[:, : self.neighbours]
        known = np.isfinite(nearest)
        mean = (
            np.where(known, nearest, 0).clip(min=0).sum(axis=1)
            / known.sum(axis=1).clip(min=1)
            / had.sum(axis=1).clip(min=1)
        )
        level = float(mean.mean())
        return level if level > 0 else 1.0
