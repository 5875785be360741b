"""Robust Mahalanobis distance: a row is strange where its columns do not vary together as they usually do."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Model, Run, Scores, param

STEPS = 20
"""Concentration steps, at most."""
CLIP = 2.5
"""The first estimate sees no value beyond this many robust standard deviations."""
SMALLEST = 1e-3
"""No direction is taken to vary less than this share of the average one."""
ROWS = 1024
"""Rows are measured in blocks of exactly this many: a row's result cannot depend on its neighbours."""


@dataclass(kw_only=True)
class RobustCovariance(Model):
    """Half the squared Mahalanobis distance from the centre of the least scattered share of the rows.

    From a winsorised start, the rows that are nearest by the present estimate give the next one, until they stay
    the same (concentration steps). The covariance is shrunk towards a multiple of the identity, so that constant,
    dependent or too many columns do no harm.

    Reference: Rousseeuw and Van Driessen (1999), A fast algorithm for the minimum covariance determinant estimator,
    Technometrics 41; Boudt et al. (2020), The minimum regularized covariance determinant estimator, Statistics and
    Computing 30; Ledoit and Wolf (2004) for the shrinkage.

    Examples
    --------
    >>> RobustCovariance(support=0.5).params()
    {'support': 0.5}
    """

    name = "covariance"

    support: float = param(0.75, low=0.5, high=1.0, help="Share of the rows that the estimate is made from.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Find the centre and the whitening matrix."""
        matrix = data.dense().matrix.astype(np.float64)
        self.spread_ = 1.4826 * np.median(np.abs(matrix - np.median(matrix, axis=0)), axis=0)
        self.spread_ = np.where(self.spread_ > 0, self.spread_, np.maximum(matrix.std(axis=0), 1e-9))
        scaled = matrix / self.spread_
        middle = np.median(scaled, axis=0)
        count = max(2, round(self.support * len(scaled)))  # more than there are is all
        kept: NDArray[np.intp] | None = None
        sample = np.clip(scaled, middle - CLIP, middle + CLIP)
        for _ in range(STEPS):
            self.centre_, self.whitening_ = sample.mean(axis=0), _whitening(sample)
            nearest = np.sort(np.argsort(self._distances(scaled), kind="stable")[:count])
            if kept is not None and np.array_equal(nearest, kept):
                break
            kept, sample = nearest, scaled[nearest]
        return self

    def score(self, data: Encoded) -> Scores:
        """Return half the squared distances, float64 [n]."""
        return 0.5 * self._distances(data.dense().matrix.astype(np.float64) / self.spread_)

    def _distances(self, scaled: Scores) -> Scores:
        distances = np.empty(len(scaled))
        for start in range(0, len(scaled), ROWS):
            rows = scaled[start : start + ROWS]
            block = np.zeros((ROWS, scaled.shape[1]))
            block[: len(rows)] = rows - self.centre_
            distances[start : start + ROWS] = np.square(block @ self.whitening_).sum(axis=1)[: len(rows)]
        return distances


def _whitening(sample: Scores) -> Scores:
    """Return the matrix W [columns, columns] for which (sample - mean) @ W has about unit covariance."""
    from sklearn.covariance import ledoit_wolf

    if not sample.shape[1] or len(sample) < 2:
        return np.eye(sample.shape[1])
    covariance, _ = ledoit_wolf(sample)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    smallest = SMALLEST * max(float(np.mean(eigenvalues)), 1e-12)
    whitening: Scores = vectors / np.sqrt(np.maximum(eigenvalues, smallest))
    return whitening
