"""From a category's expected indicators to the probabilities of its levels: linear discriminant analysis."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from anomalo.plugin import Floats, Scores
from anomalo_auto.imputation.target_column import Target

FOLDS = 5
"""Parts of the rows; each is predicted by a fit to the others."""
PRIOR = 1.0
"""As many rows of the overall mean are added to each level's, and as many of no correlation to the covariance."""
TINY = 1e-6
"""Added to the variances; indicators lie between 0 and 1."""


@dataclass(frozen=True)
class Discriminant:
    """Within each level, linear regressions of its indicators are assumed Gaussian with a common covariance.

    Reference: Hastie, Tibshirani and Buja (1994), Flexible discriminant analysis by optimal scoring, JASA 89.

    Attributes
    ----------
    slope : float64 [entries, entries]
    start : float64 [entries]
        Of the linear function whose softmax are the probabilities.
    shares : float64 [size]
        Of the levels, some of which may share the last entry.
    """

    slope: Scores
    start: Scores
    shares: Scores

    @classmethod
    def fit(cls, expected: Floats, target: Target, rng: np.random.Generator) -> tuple[Self, Floats]:
        """Fit to held-out regressions [m, entries]; return also predictions of rows not fitted to, [m, size]."""
        held_out = np.empty((len(expected), target.block.size), dtype=np.float32)
        folds = rng.permutation(len(expected)) % FOLDS
        for fold in range(FOLDS):
            rest, rows = folds != fold, folds == fold
            held_out[rows] = cls._fit(expected[rest], target.levels[rest], target.marginal()).predict(
                expected[rows], target
            )
        return cls._fit(expected, target.levels, target.marginal()), held_out

    @classmethod
    def _fit(cls, expected: Floats, levels: NDArray[np.intp], shares: Scores) -> Self:
        rows, size = expected.astype(np.float64), expected.shape[1]
        truth = np.eye(size)[np.minimum(levels, size - 1)]
        count = truth.sum(axis=0) + PRIOR
        centre = rows.mean(axis=0)
        means = truth.T @ (rows - centre) / count[:, None]
        within = rows - centre - truth @ means
        variance = np.square(within).mean(axis=0)
        covariance = (within.T @ within + PRIOR * size * np.diag(variance)) / (len(rows) + PRIOR * size)
        slope = np.linalg.solve(covariance + TINY * np.eye(size), means.T)
        start = np.log(count / count.sum()) - (means * slope.T).sum(axis=1) / 2 - centre @ slope
        return cls(slope, start, shares)

    def predict(self, expected: Floats, target: Target) -> Floats:
        """Return probabilities [n, size]; a row's do not depend on other rows."""
        # Sums of products instead of a matrix product, which may round a row by its position.
        scores = self.start + (expected[:, :, None] * self.slope).sum(axis=1)
        return all_levels(softmax(scores, axis=1), self.shares)


def all_levels(entries: NDArray[Any], shares: Scores) -> Floats:
    """Return probabilities of all levels, float32 [n, size], from those of entries [n, k <= size].

    The levels that share the last entry have parts of its probability as in their `shares` [size].
    """
    tail = shares[entries.shape[1] - 1 :]
    found = np.concatenate([entries[:, :-1], entries[:, -1:] * (tail / tail.sum())], axis=1)
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float32)
