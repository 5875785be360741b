"""The distribution of each column's cells over a few bins, in training and later: which columns have drifted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import FIRST_LEVEL, MISSING, Encoded, Floats, Mask, Scores
from anomalo.encoding.layout import Layout

TENTHS = np.arange(1, 10) / 10
MISSING_BIN, UNSEEN_BIN, WIDTH = 10, 11, 12
"""The bins of missing cells and of unseen levels, after those of the values; and the number of bins."""
MOVED = 0.05
"""A column has drifted if at least this share of its cells has changed bins beyond chance."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Marginals:
    """The training table's cells, counted in bins: a number's tenths, a category's most frequent levels.

    Attributes
    ----------
    edges : float32 [columns, 9]
        Upper ends of the first nine bins in encoded units; the tenth bin holds what is above.
    training : int64 [columns, 12]
        The number of training cells in each bin, missing, or with an unseen level.
    """

    edges: Floats
    training: Counts

    @classmethod
    def of(cls, data: Encoded) -> Self:
        """Count the training table."""
        edges = np.array([_edges(data, position) for position in range(len(data.layout.blocks))], dtype=np.float32)
        edges = edges.reshape(-1, len(TENTHS))
        return cls(edges, _count(data, edges))

    def count(self, data: Encoded) -> Counts:
        """Return the number of cells of each column, or channel, in each bin, int64 [columns, 12]."""
        return _count(data, self.edges)

    def moved(self, counts: Counts, layout: Layout, least: float = MOVED) -> list[str]:
        """Return the names of columns whose distribution differs from training, the most different first.

        The difference is the total variation distance: the share of cells that would have to change bins. A column
        is named if that exceeds twice what chance alone makes it by `least`. Points in time are not named: they move.

        Parameters
        ----------
        counts : int64 [columns, 12]
            Sums of `count`.
        layout : Layout
            Names the columns.
        """
        rows, here = self.training.sum(axis=1), counts.sum(axis=1)
        if not len(counts) or not here.all():
            return []
        usual = self.training / rows[:, None]
        distance = np.abs(counts / here[:, None] - usual).sum(axis=1) / 2
        # The mean absolute value of a normal error is sqrt(2 / pi) of its standard deviation.
        variance = usual * (1 - usual) * (1 / rows + 1 / here)[:, None]
        excess: Scores = distance - 2 * np.sqrt(variance * 2 / np.pi).sum(axis=1) / 2
        order = np.argsort(-excess, kind="stable")
        moved = [layout.blocks[position] for position in order if excess[position] >= least]
        return [block.name for block in moved if not block.moment]


def _edges(data: Encoded, position: int) -> NDArray[np.floating]:
    if data.layout.blocks[position].kind == "category":
        return FIRST_LEVEL + 0.5 + np.arange(len(TENTHS))
    values, observed = _cells(data, position)
    seen = values[observed]
    # An edge is a value that occurs, so that equal values never fall on both of its sides.
    return np.quantile(seen, TENTHS, method="inverted_cdf") if len(seen) else np.zeros(len(TENTHS))


def _count(data: Encoded, edges: Floats) -> Counts:
    counts = np.zeros((len(edges), WIDTH), dtype=np.int64)
    whole = bool(data.observed.all())
    for position, ends in enumerate(edges):
        values, seen = _cells(data, position)
        if not whole and not seen.all():
            hidden = values[~seen]
            missing = np.count_nonzero(hidden == MISSING)
            counts[position, [MISSING_BIN, UNSEEN_BIN]] = missing, len(hidden) - missing
            values = values[seen]
        # The edges are few: to count what is above each takes less time than to look up each value's bin.
        above = np.array([len(values), *(int(np.count_nonzero(values > end)) for end in ends), 0])
        counts[position, : len(TENTHS) + 1] = above[:-1] - above[1:]
    return counts


def _cells(data: Encoded, position: int) -> tuple[Floats, Mask]:
    """Return all cells of a column or channel and which are observed, each [rows * cells of a row]."""
    cells = data.layout.cells_of_block[position]
    values, seen = data.flat()
    if len(cells) == 1:  # many times as fast
        return np.ascontiguousarray(values[:, cells[0]]), np.ascontiguousarray(seen[:, cells[0]])
    return values[:, cells].ravel(), seen[:, cells].ravel()
