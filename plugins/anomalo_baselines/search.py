"""Exact nearest neighbours, whose result for a row does not depend on the rows beside it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Run

ROWS = 64
"""Rows are compared in blocks of exactly this many: a row's result cannot depend on its neighbours."""
GROUP = 16
"""Reference rows whose smallest distance is looked at first."""
SPARE = 8
"""Candidates kept beyond the neighbours, for the rounding of the approximate distances."""
CELLS = 4_000_000
"""At most this many float64 cells hold differences at a time."""


def at_most(data: Encoded, rows: int, run: Run) -> Encoded:
    """Return the data, or a random sample of `rows` of its rows, in their order."""
    return data if len(data) <= rows else data.take(np.sort(run.rng.choice(len(data), rows, replace=False)))


class Search:
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

    def nearest(self, matrix: Floats) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return the distances to the nearest reference rows, ascending, and their numbers, each [n, neighbours]."""
        distances = np.empty((len(matrix), self.neighbours))
        numbers = np.empty((len(matrix), self.neighbours), dtype=np.intp)
        for start in range(0, len(matrix), ROWS):
            rows = matrix[start : start + ROWS]
            block = np.zeros((ROWS, matrix.shape[1]))
            block[: len(rows)] = rows
            found = self._block(block)
            distances[start : start + ROWS], numbers[start : start + ROWS] = (part[: len(rows)] for part in found)
        return distances, numbers

    def _block(self, block: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        candidates = np.sort(self._candidates(block), axis=1)  # so that equal distances go by number
        exact = np.empty(candidates.shape)
        step = max(1, CELLS // max(1, ROWS * block.shape[1]))
        for start in range(0, candidates.shape[1], step):
            columns = slice(start, start + step)
            difference = block[:, None, :] - self.reference[candidates[:, columns]]
            exact[:, columns] = np.square(difference).sum(axis=2)
        order = np.argsort(exact, axis=1, kind="stable")[:, : self.neighbours]
        return np.sqrt(np.take_along_axis(exact, order, axis=1)), np.take_along_axis(candidates, order, axis=1)

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
