"""The residual of windows to their principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Encoded, Floats, Mask, Run, Scores, param
from anomalo_series.sample import mean_of, sampled
from anomalo_series.window_model import ExpectingModel

SAMPLED = 4000
"""Training windows from which components are learned, at most."""
RIDGE = 1e-6
"""Keeps the system of a window with few observed cells solvable."""


@dataclass(kw_only=True)
class SubPca(ExpectingModel):
    """Expects a window to be a combination of few principal components.

    Of windows with hidden cells the combination is the ridge regression of the observed cells on the components, with
    the inverse of their variances as the penalty, so that a window of which little is observed is expected near the
    mean.

    Reference: Aggarwal (2017), Outlier analysis, section 9.2, on windows (Sub-PCA in Liu and Paparrizos 2024); hidden
    cells: Tipping and Bishop (1999), Mixtures of probabilistic principal component analyzers.
    """

    name = "sub_pca"

    components: int = param(3, low=1, high=1000, help="Principal components of training windows that are kept.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the components."""
        matrix = sampled(data, run, SAMPLED)
        self.mean_ = mean_of(matrix)
        deviations = np.where(matrix.seen, matrix.values - self.mean_, 0.0)
        _, sizes, basis = np.linalg.svd(deviations, full_matrices=False)
        kept = slice(0, self.components)
        self.basis_, variance = basis[kept], np.square(sizes[kept]) / len(deviations)
        rest = np.square(sizes[self.components :]).sum() / deviations.size
        self.penalty_ = max(float(rest), RIDGE) / np.maximum(variance, RIDGE)
        self.learn_level(data, run)
        return self

    def expected(self, x: Floats, seen: Mask) -> Floats:
        """Return the nearest combinations of components."""
        flat, had = x.reshape(len(x), -1).astype(np.float64), seen.reshape(len(x), -1)
        deviation = np.where(had, flat - self.mean_, 0.0)
        codes = deviation @ self.basis_.T
        for row in np.flatnonzero(~had.all(axis=1)):
            codes[row] = self._code(codes[row], had[row])
        return np.asarray((self.mean_ + codes @ self.basis_).reshape(x.shape), dtype=np.float32)

    def _code(self, projected: Scores, had: Mask) -> Scores:
        basis = self.basis_[:, had]
        return np.asarray(np.linalg.solve(basis @ basis.T + np.diag(self.penalty_), projected), dtype=np.float64)
