"""Distance to the nearest training rows: a row is strange where there are few like it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Model, Run, Scores, param

ROWS = 64
"""Rows are compared in blocks of exactly this many: a row's result cannot depend on its neighbours."""
GROUP = 16
"""Reference rows whose smallest distance is looked at first."""
SPARE = 8
"""Candidates kept beyond the neighbours, for the rounding of the approximate distances."""
CELLS = 4_000_000
"""At most this many float64 cells hold differences at a time."""


@dataclass(kw_only=True)
class NearestNeighbours(Model):
    """The mean Euclidean distance to the k nearest training rows.

    Numbers are compared in encoded units; two different levels of a category are 1 apart; a missing
    number counts as the centre, and as 1 for being missing. A training row that is scored again finds
    itself at distance 0.

    Reference: Angiulli and Pizzuti (2002), Fast outlier detection in high dimensional spaces, PKDD (the
    sum of the distances); Ramaswamy, Rastogi and Shim (2000), SIGMOD (the largest).

    Examples
    --------
    >>> NearestNeighbours(neighbours=10).params()
    {'neighbours': 10, 'reference': 50000}
    """

    name = "knn"

    neighbours: int = param(5, low=1, high=10_000, help="How many of the nearest training rows to average over.")
    reference: int = param(50_000, low=1, high=10_000_000, help="How many training rows to keep, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training rows, or a random sample of them."""
        if len(data) > self.reference:
            data = data.take(np.sort(run.rng.choice(len(data), self.reference, replace=False)))
        self.reference_ = data.dense().matrix
        return self

    def score(self, data: Encoded) -> Scores:
        """Return mean distances, float64 [n]."""
        matrix = data.dense().matrix
        search = _Search(self.reference_, min(self.neighbours, len(self.reference_)))
        scores = np.empty(len(matrix))
        for start in range(0, len(matrix), ROWS):
            rows = matrix[start : start + ROWS]
            block = np.zeros((ROWS, matrix.shape[1]))
            block[: len(rows)] = rows
            scores[start : start + ROWS] = search.distances(block).mean(axis=1)[: len(rows)]
        return scores


class _Search:
    """Exact neighbours: candidates by one matrix product, then their distances without cancellation."""

    def __init__(self, reference: Floats, neighbours: int) -> None:
        self.neighbours = neighbours
        self.kept = min(neighbours + SPARE, len(reference))
        self.reference = reference
        # Padding to whole groups with rows that are infinitely far away.
        self.groups = -(-len(reference) // GROUP)
        self.transposed = np.zeros((reference.shape[1], self.groups * GROUP))
        self.transposed[:, : len(reference)] = reference.T
        self.norms = np.full(self.groups * GROUP, np.inf)
        self.norms[: len(reference)] = np.square(self.transposed[:, : len(reference)]).sum(axis=0)

    def distances(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distances to the nearest rows, ascending, [ROWS, neighbours]."""
        candidates = self._candidates(block)
        exact = np.empty(candidates.shape)
        step = max(1, CELLS // max(1, ROWS * block.shape[1]))
        for start in range(0, candidates.shape[1], step):
            columns = slice(start, start + step)
            difference = block[:, None, :] - self.reference[candidates[:, columns]]
            exact[:, columns] = np.square(difference).sum(axis=2)
        return np.sqrt(np.sort(exact, axis=1)[:, : self.neighbours])

    def _candidates(self, block: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the likely nearest rows [ROWS, kept], by |r|^2 - 2 x.r.

        The `kept` smallest of all values lie in the `kept` groups with the smallest minima.
        """
        approximate = self.norms - 2.0 * (block @ self.transposed)
        grouped = approximate.reshape(ROWS, GROUP, self.groups)
        groups = _smallest(grouped.min(axis=1), min(self.kept, self.groups))
        members = (groups[:, None, :] + self.groups * np.arange(GROUP)[:, None]).reshape(ROWS, -1)
        near = _smallest(np.take_along_axis(approximate, members, axis=1), self.kept)
        return np.take_along_axis(members, near, axis=1)


def _smallest(values: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Return the positions of the `count` smallest values of each row, in no order."""
    if count == values.shape[1]:
        return np.broadcast_to(np.arange(count), values.shape)
    return np.argpartition(values, count - 1, axis=1)[:, :count]
