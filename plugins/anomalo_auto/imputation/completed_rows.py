"""A row as other models complete it: every number, and the probability of every level."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import FIRST_LEVEL, Encoded, Filled, Floats, Layout, compress
from anomalo_auto.imputation.target_column import natural

AT_ONCE = 12_288
"""About so many rows are filled in one call."""
LEVELS = 30
"""The probabilities of at most this many levels of a category are shown."""


@dataclass(frozen=True)
class View:
    """Which entries of a completed row [width] belong to which column.

    Numbers are on their own scale in spreads, not compressed.
    """

    layout: Layout

    @cached_property
    def owner(self) -> NDArray[np.intp]:
        """The column of each entry, intp [width], ascending."""
        sizes = [1 if block.kind == "number" else min(block.size, LEVELS) for block in self.layout.blocks]
        return np.repeat(np.arange(len(sizes)), sizes)

    def completed(self, data: Encoded, filled: Filled) -> Floats:
        """Return completed rows, float32 [n, width]."""
        parts = []
        for block in self.layout.blocks:
            at = block.position
            if block.kind == "number":
                parts.append(natural(filled.point[:, at])[:, None].astype(np.float32))
            else:
                codes = np.where(data.observed[:, at], data.values[:, at], filled.point[:, at])
                level = (codes[:, None] == np.arange(block.size) + FIRST_LEVEL).astype(np.float32)
                told = filled.proba.get(at, level)
                parts.append(np.where(data.observed[:, at, None], level, told)[:, :LEVELS])
        return np.concatenate(parts, axis=1)

    def codes(self, data: Encoded, completed: Floats) -> Floats:
        """Return rows with one entry a column, holes filled: numbers, and codes of levels, float32 [n, columns]."""
        codes = np.empty((len(data), len(self.layout.blocks)), dtype=np.float32)
        for block in self.layout.blocks:
            entries = completed[:, self.owner == block.position]
            if block.kind == "number":
                codes[:, block.position] = entries[:, 0]
            elif entries.shape[1]:
                codes[:, block.position] = np.where(
                    data.observed[:, block.position],
                    data.values[:, block.position],
                    entries.argmax(axis=1) + FIRST_LEVEL,
                )
        return codes

    def plain(self, data: Encoded) -> Floats:
        """Return rows with one entry a column, NaN where nothing is observed, float32 [n, columns]."""
        values = data.values.astype(np.float32)
        values[:, self.layout.numbers] = natural(values[:, self.layout.numbers])
        return np.where(data.observed, values, np.float32(np.nan))


def encoded(values: NDArray[Any]) -> Floats:
    """Return numbers in spreads as the encoder has them, float32."""
    return compress(values).astype(np.float32)


@dataclass(frozen=True)
class Base:
    """One model fitted on several folds of the rows; what it says is the mean of what they say."""

    models: Sequence[Any]

    def complete(self, view: View, data: Encoded) -> Floats:
        """Return the rows as the models complete them, float32 [n, width]."""
        told = [view.completed(data, model.impute(data)) for model in self.models]
        return np.mean(told, axis=0, dtype=np.float32)

    def held_out(self, view: View, data: Encoded, folds: NDArray[np.intp], positions: Sequence[int]) -> Floats:
        """Return the rows once for each position, completed with that column hidden by the model that never saw them.

        Parameters
        ----------
        folds : intp [n]
            Which model did not see each row.

        Returns
        -------
        float32 [len(positions) * n, width]
        """
        found = np.empty((len(positions), len(data), len(view.owner)), dtype=np.float32)
        for fold, model in enumerate(self.models):
            rows = np.flatnonzero(folds == fold)
            hidden = without(data.take(rows), positions)
            told = view.completed(hidden, model.impute(hidden))
            found[:, rows] = told.reshape(len(positions), len(rows), -1)
        return found.reshape(-1, len(view.owner))


def batches(columns: int, rows: int) -> Iterator[range]:
    """Give the positions of columns, as many together as make about `AT_ONCE` rows with each of them hidden once."""
    together = max(1, AT_ONCE // max(rows, 1))
    for start in range(0, columns, together):
        yield range(start, min(start + together, columns))


def without(data: Encoded, positions: Sequence[int]) -> Encoded:
    """Return the rows once for each position, with that column hidden."""
    cells = np.zeros((len(positions), *data.values.shape), dtype=bool)
    for number, position in enumerate(positions):
        cells[number, :, position] = True
    return Encoded.concatenate([data.hide(hidden) for hidden in cells])


def expectations(imputer: Any, data: Encoded) -> Floats:
    """Return what a model expects of each cell with that cell hidden, float32 [n, columns]."""
    expected, columns = np.empty_like(data.values), len(data.layout.blocks)
    for positions in batches(columns, len(data)):
        told = imputer.impute(without(data, positions)).point.reshape(len(positions), len(data), columns)
        for number, position in enumerate(positions):
            expected[:, position] = told[number, :, position]
    return expected
