"""Exact nearest-neighbour search, whose result for a row does not depend on the rows beside it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Floats

ROWS = 64
"""Rows are compared in blocks of exactly this many: a row's result cannot depend on the rows beside it."""
GROUP = 16
"""Reference rows in a group; the groups with the smallest minimum distances are searched."""
SPARE = 8
"""Candidates kept beyond the neighbours, for the rounding of the approximate distances."""
CELLS = 4_000_000
"""At most this many float64 cells hold differences at a time."""

ALL, NOTHING = slice(None), slice(0, 0)
"""All columns, and none."""

Fill = Callable[[int, NDArray[np.intp]], NDArray[np.float64]]
Replaced = tuple[slice, int, NDArray[np.float64], NDArray[np.float64]]


class NeighbourSearch:
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
        for rows, block in _blocks(matrix):
            found = self._exact(block, self._candidates(self._approximate(block, ALL)), NOTHING)
            distances[rows], numbers[rows] = (part[: len(distances[rows])] for part in found)
        return distances, numbers

    def nearest_replaced(self, matrix: Floats, parts: Sequence[slice], fill: Fill) -> Iterator[Replaced]:
        """Yield distances of the rows after one part of the columns is replaced by values from the nearest rows.

        The nearest rows are searched again without that part. The approximate distances in all columns are computed
        once; each part's share of them is subtracted.

        Parameters
        ----------
        matrix : float32 [n, columns]
        parts : sequence of slice
            The columns to replace together.
        fill : callable
            From the number of a part and those of the nearest rows without it, intp [m, neighbours], to the
            replacement, float64 [m, columns of the part].

        Yields
        ------
        rows : slice
            Rows of the matrix.
        number : int
            The number of the replaced part.
        replacement : float64 [rows, columns of the part]
        distances : float64 [rows, neighbours]
            To the nearest reference rows after the replacement, ascending.
        """
        for rows, block in _blocks(matrix):
            whole, count = self._approximate(block, ALL), len(matrix[rows])
            for number, part in enumerate(parts):
                others = whole - self._approximate(block[:, part], part)
                replacement = fill(number, self._exact(block, self._candidates(others), part)[1])
                replaced = block.copy()
                replaced[:, part] = replacement
                near = self._candidates(others + self._approximate(replacement, part))
                yield rows, number, replacement[:count], self._exact(replaced, near, NOTHING)[0][:count]

    def _exact(
        self, block: NDArray[np.float64], candidates: NDArray[np.intp], without: slice
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return distances to the nearest candidates, some columns left out, and numbers, each [ROWS, neighbours]."""
        candidates = np.sort(candidates, axis=1)  # so that equal distances are ordered by number
        exact = np.empty(candidates.shape)
        step = max(1, CELLS // max(1, ROWS * block.shape[1]))
        for start in range(0, candidates.shape[1], step):
            columns = slice(start, start + step)
            difference = block[:, None, :] - self.reference[candidates[:, columns]]
            difference[:, :, without] = 0.0
            exact[:, columns] = np.square(difference).sum(axis=2)
        order = np.argsort(exact, axis=1, kind="stable")[:, : self.neighbours]
        return np.sqrt(np.take_along_axis(exact, order, axis=1)), np.take_along_axis(candidates, order, axis=1)

    def _approximate(self, cells: NDArray[np.float64], part: slice) -> NDArray[np.float64]:
        """Return squared distances in some columns, less |x|^2, [ROWS, padded reference]: |r|^2 - 2 x.r."""
        transposed = self.transposed[part]
        norms = self.norms if part == ALL else np.square(transposed).sum(axis=0)
        values: NDArray[np.float64] = norms - 2.0 * (cells @ transposed)
        return values

    def _candidates(self, approximate: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the likely nearest rows [ROWS, kept].

        The `kept` smallest of all values lie in the `kept` groups with the smallest minima.
        """
        grouped = approximate.reshape(ROWS, GROUP, self.groups)
        groups = _smallest(grouped.min(axis=1), min(self.kept, self.groups))
        members = (groups[:, None, :] + self.groups * np.arange(GROUP)[:, None]).reshape(ROWS, -1)
        near = _smallest(np.take_along_axis(approximate, members, axis=1), self.kept)
        return np.take_along_axis(members, near, axis=1)


def _blocks(matrix: Floats) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield the rows in blocks [ROWS, columns], the last one padded with zeros."""
    for start in range(0, len(matrix), ROWS):
        rows = slice(start, start + ROWS)
        block = np.zeros((ROWS, matrix.shape[1]))
        block[: len(matrix[rows])] = matrix[rows]
        yield rows, block


def _smallest(values: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Return the positions of the `count` smallest values of each row, in no order."""
    if count == values.shape[1]:
        return np.broadcast_to(np.arange(count), values.shape)
    return np.argpartition(values, count - 1, axis=1)[:, :count]
