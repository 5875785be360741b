"""The distance of windows to the nearest ones of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Mask, Run, param
from anomalo_series.channels import Energies
from anomalo_series.sample import Matrix, mean_of, sampled
from anomalo_series.window_model import ExpectingModel

LEVELLED = 500
"""Training windows by which the usual energy is learned, about."""
FLAT = 1e-6
"""A channel with a smaller deviation, in encoded units, does not vary."""


class Compared(NamedTuple):
    """Windows as they are compared, 0 where not observed; they were these times `size`, plus `level`."""

    values: Floats
    level: Floats
    size: Floats


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
        shape = len(matrix.seen), *data.layout.shape[:1], -1
        compared = self.compared(matrix.values.reshape(shape).astype(np.float32), matrix.seen.reshape(shape))
        values = np.asarray(compared.values.reshape(matrix.seen.shape), dtype=np.float64)
        self.windows_ = np.where(matrix.seen, values, mean_of(Matrix(values, matrix.seen))).astype(np.float32)
        self.level_ = self._usual(matrix.seen, data.layout.shape[0])
        return self

    def compared(self, x: Floats, seen: Mask) -> Compared:
        """Return windows as they are compared."""
        return Compared(np.where(seen, x, 0), np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.float32))

    def expected(self, x: Floats, seen: Mask) -> Floats:
        """Return the mean of the nearest windows."""
        return self.energies(x, seen)[1]

    def energies(self, x: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the mean squared difference of observed cells to those of the nearest windows, and their mean."""
        compared = self.compared(x, seen)
        near = self._near(compared.values, seen)
        flat, energies = compared.values.reshape(len(x), -1), np.zeros((len(x), self.windows_.shape[1]))
        for number in range(near.shape[1]):
            energies += np.square(flat - self.windows_[near[:, number]])
        mean = self.windows_[near].mean(axis=1).reshape(x.shape)
        return np.where(seen, energies.reshape(x.shape) / near.shape[1], 0.0), mean * compared.size + compared.level

    def _near(self, values: Floats, seen: Mask) -> NDArray[np.intp]:
        """Return the numbers of the nearest training windows, [n, k]."""
        distance = self._distances(values.reshape(len(values), -1), seen.reshape(len(values), -1))
        count = min(self.neighbours, len(self.windows_))
        return np.sort(np.argpartition(distance, count - 1, axis=1)[:, :count], axis=1)

    def _distances(self, flat: Floats, had: Mask) -> Floats:
        """Return the squared distances to training windows, less what is the same for all of them, [n, windows]."""
        squares = np.square(self.windows_)
        distance = -2 * flat @ self.windows_.T
        distance += squares.sum(axis=1)
        if not had.all():  # a complete window loses exactly 0
            distance -= (~had).astype(np.float32) @ squares.T
        return distance

    def _usual(self, seen: Mask, width: int) -> float:
        """Return the mean energy of training windows, each without those that share points with it."""
        some = np.arange(0, len(self.windows_), max(1, len(self.windows_) // LEVELLED))
        had = seen[some]
        flat = np.where(had, self.windows_[some], np.float32(0))
        distance = self._distances(flat, had) + np.square(flat).sum(axis=1)[:, None]
        distance[np.abs(some[:, None] - np.arange(len(self.windows_))) < width] = np.inf
        nearest = np.sort(distance, axis=1)[:, : self.neighbours].astype(np.float64)
        apart = np.isfinite(nearest)
        total = np.where(apart, nearest, 0).clip(min=0).sum(axis=1) / apart.sum(axis=1).clip(min=1)
        level = float((total / had.sum(axis=1).clip(min=1)).mean())
        return level if level > 0 else 1.0


@dataclass(kw_only=True)
class MatrixProfile(Neighbours):
    """Measures the distance of a window to the nearest one, each channel without its level and size.

    The distance is that of channels with mean 0 and standard deviation 1 over the observed points; a channel that does
    not vary is 0. The profile is that of a window among the training windows (an AB-join).

    Reference: Yeh, Zhu, Ulanova, Begum, Ding, Dau, Silva, Mueen and Keogh (2016), Matrix profile I: all pairs
    similarity joins for time series, ICDM.
    """

    name = "matrix_profile"

    neighbours: int = param(1, low=1, high=1000, help="Training windows that a window is compared with.")

    def compared(self, x: Floats, seen: Mask) -> Compared:
        """Return windows whose channels have mean 0 and standard deviation 1."""
        count = seen.sum(axis=1, keepdims=True).clip(min=1)
        level = np.where(seen, x, 0).sum(axis=1, keepdims=True, dtype=np.float64) / count
        deviation = np.where(seen, x - level, 0.0)
        size = np.sqrt(np.square(deviation).sum(axis=1, keepdims=True) / count)
        values = np.divide(deviation, size, out=np.zeros_like(deviation), where=size > FLAT)
        level, size, values = (array.astype(np.float32) for array in (level, size, values))
        return Compared(values, level, size)
