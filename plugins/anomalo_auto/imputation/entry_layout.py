"""Rows as entries for linear algebra: one for a number, one for each of a category's frequent levels."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Floats, Layout, Mask, Scores, compress

LEVELS = 30
"""Entries of a category, at most: its rarest levels share the last one."""
FEWEST_LEVELS = 3
"""The same in a table that is too wide: at least so many."""
WIDTH = 2000
"""Entries of a row, at most."""


@dataclass(frozen=True)
class EntryLayout:
    """Which entries of a row [width] belong to which column.

    Numbers are encoded as in the table; a level is 1 where it is observed and 0 where another one is. In wide tables
    categories have fewer entries, and if that is still too many, columns with the fewest missing values have none.
    """

    layout: Layout

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """How many entries each column has, intp [columns]."""
        blocks = self.layout.blocks
        full = np.array([1 if block.kind == "number" else block.size for block in blocks], dtype=np.intp)
        levels = LEVELS
        while levels > FEWEST_LEVELS and np.minimum(full, levels).sum() > WIDTH:
            levels -= 1
        sizes = np.minimum(full, levels)
        order = np.argsort([-block.missing for block in blocks], kind="stable")
        sizes[order[np.cumsum(sizes[order]) > WIDTH]] = 0
        return sizes

    @cached_property
    def position(self) -> NDArray[np.intp]:
        """The position of the column of each entry, intp [width], ascending."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def number(self) -> Mask:
        """Whether each entry is a number, bool [width]."""
        return np.asarray(np.isin(self.position, self.layout.numbers))

    def of(self, position: int) -> slice:
        """Return the entries of a column."""
        first, end = np.searchsorted(self.position, [position, position + 1])
        return slice(int(first), int(end))

    def matrix(self, data: Encoded) -> tuple[Scores, Mask]:
        """Return the rows' entries, float64 [n, width], and whether each is observed."""
        values = data.values[:, self.position].astype(np.float64)
        level = np.arange(len(self.position)) - np.searchsorted(self.position, self.position)
        last = np.bincount(self.position, minlength=len(self.layout.blocks))[self.position] - 1
        indicators = np.minimum(values - FIRST_LEVEL, last) == level
        return np.where(self.number, values, indicators), data.observed[:, self.position]

    def codes(self, values: NDArray[Any], entries: NDArray[np.intp]) -> Floats:
        """Return the values [n, k] of all entries of some columns with one input a column, float32 [n, columns].

        A category's is the level with the largest entry.
        """
        position = self.position[entries]
        columns, first = np.unique(position, return_index=True)
        codes = values[:, first].astype(np.float32)
        for at in np.flatnonzero(np.isin(columns, self.layout.categories)):
            codes[:, at] = values[:, position == columns[at]].argmax(axis=1)
        return codes

    def entries(self, predicted: Floats, block: Block) -> Floats:
        """Return predictions of a column [n, size] as its entries."""
        if not self.sizes[block.position]:
            return predicted[:, :0]
        if block.kind == "number":
            return compressed(predicted)
        last = self.sizes[block.position] - 1
        return np.concatenate([predicted[:, :last], predicted[:, last:].sum(axis=1, keepdims=True)], axis=1)


def compressed(values: NDArray[Any]) -> Floats:
    """Return numbers in units of the column's scale as the encoder compresses them, float32."""
    found: Floats = compress(values).astype(np.float32)
    return found
