"""What models of a joint Gaussian of all cells of a window share: the moments, and hidden cells given the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from anomalo.plugin import Conditional, Floats, Mask, Scores, conditional
from anomalo_series.sample import Matrix
from anomalo_series.window_model import WindowModel
from anomalo_series.yardsticks.interpolation import bridged

COMPLETE = 0.5
"""With at least this part of the windows complete, moments are learned from these alone."""


def bridged_rows(matrix: Matrix, width: int) -> Scores:
    """Return windows as rows, [n, cells], without missing points.

    If at least half of the windows are complete, they are these. Else missing points are bridged by straight lines,
    which are far from the truth in long gaps, and would be learned by heart.
    """
    complete = matrix.seen.all(axis=1)
    if complete.mean() >= COMPLETE:
        return matrix.values[complete]
    whole, rows = matrix.values.copy(), np.flatnonzero(~complete)
    shape = len(rows), width, whole.shape[1] // width
    some = bridged(whole[rows].reshape(shape), matrix.seen[rows].reshape(shape), np.zeros(1))
    whole[rows] = some.reshape(len(rows), whole.shape[1])
    return whole


class JointModel(WindowModel):
    """Knows the mean of windows and the precision, the inverse of the covariance, of their cells.

    Attributes
    ----------
    mean_ : float64 [cells]
    precision_ : float64 [cells, cells]
    """

    mean_: Scores
    precision_: Scores

    def completed(self, x: Floats, seen: Mask) -> tuple[Scores, Scores]:
        """Return deviations from the mean, hidden ones at their conditional mean, and the precision times them."""
        shape = len(x), self.mean_.size
        flat, had = x.reshape(shape).astype(np.float64), seen.reshape(shape)
        deviation = np.where(had, flat - self.mean_, 0.0)
        pull = deviation @ self.precision_
        for row in np.flatnonzero(
            had.any(axis=1) & ~had.all(axis=1)
        ):  # where nothing is observed, the mean is that of all
            at = np.flatnonzero(~had[row])
            mean = np.linalg.solve(self.precision_[np.ix_(at, at)], -pull[row, at])
            deviation[row, at] = mean
            pull[row] += mean @ self.precision_[at]
        return deviation, pull

    def conditionals(self, x: Floats, seen: Mask, rows: Mask) -> Iterator[Conditional]:
        """Yield the distributions of hidden cells of some windows one by one: none depends on those beside it."""
        shape = len(x), self.mean_.size
        flat, had = x.reshape(shape).astype(np.float64), seen.reshape(shape)
        deviation = np.where(had, flat - self.mean_, 0.0)
        for row in np.flatnonzero(rows):
            pull = deviation[row : row + 1] @ self.precision_
            for _, at, mean, covariance in conditional(self.precision_, pull, ~had[row : row + 1]):
                yield np.array([row]), at, mean, covariance
