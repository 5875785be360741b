"""The detector `lof`: local outlier factor, high where a row's neighbours have nearer neighbours than it has."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Model, Run, Scores, param
from anomalo_baselines.neighbour_search import NeighbourSearch
from anomalo_baselines.subsample import subsample

TINY = 1e-10
"""Keeps the density of rows that coincide finite."""


@dataclass(kw_only=True)
class LocalOutlierFactor(Model):
    """The mean density around a row's neighbours, relative to the density around the row.

    lof(p) = mean over the k nearest training rows o of lrd(o) / lrd(p), where lrd(p) is one over the mean
    reachability distance max(k-distance(o), d(p, o)). About 1 for a normal row.

    Reference: Breunig et al. (2000), LOF: identifying density-based local outliers, SIGMOD.

    Examples
    --------
    >>> LocalOutlierFactor(neighbours=10).params()
    {'neighbours': 10, 'reference': 10000}
    """

    name = "lof"
    score_unit = "local outlier factor"

    neighbours: int = param(20, low=1, high=10_000, help="How many of the nearest training rows to compare with.")
    reference: int = param(10_000, low=1, high=10_000_000, help="How many training rows to keep, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training rows, or a random sample of them, with the density around each."""
        data = subsample(data, self.reference, run)
        self.reference_ = data.dense().matrix
        self.reach_, self.density_ = np.zeros(len(data)), np.ones(len(data))
        if len(data) > 1:
            distances, numbers = self._others()
            self.reach_ = distances[:, -1].copy()
            self.density_ = self._density(distances, numbers)
        return self

    def _others(self) -> tuple[Scores, NDArray[np.intp]]:
        """Return each training row's nearest other rows: the row itself is left out, or, among equals, one of them."""
        count = min(self.neighbours, len(self.reference_) - 1)
        distances, numbers = NeighbourSearch(self.reference_, count + 1).nearest(self.reference_)
        itself = numbers == np.arange(len(numbers))[:, None]
        itself[~itself.any(axis=1), 0] = True
        shape = (len(numbers), count)
        return distances[~itself].reshape(shape), numbers[~itself].reshape(shape)

    def _density(self, distances: Scores, numbers: NDArray[np.intp]) -> Scores:
        reachability: Scores = np.maximum(distances, self.reach_[numbers]).mean(axis=1)
        return 1 / (reachability + TINY)

    def score(self, data: Encoded) -> Scores:
        """Return local outlier factors, float64 [n]."""
        count = max(1, min(self.neighbours, len(self.reference_) - 1))
        distances, numbers = NeighbourSearch(self.reference_, count).nearest(data.dense().matrix)
        factor: Scores = self.density_[numbers].mean(axis=1) / self._density(distances, numbers)
        return factor
