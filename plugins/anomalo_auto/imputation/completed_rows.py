"""Rows as other models complete them: every number, and the probability of every level."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import FIRST_LEVEL, Encoded, Filled, Floats, Layout, compress
from anomalo_auto.imputation.target_column import expanded

AT_ONCE = 12_288
"""About how many rows are imputed in one call."""
LEVELS = 30
"""The probabilities of at most this many levels of a category become entries."""


@dataclass(frozen=True)
class EntryLayout:
    """Which entries of a completed row [width] belong to which column.

    Numbers are in units of the column's scale, not compressed; a category has one probability for each level.
    """

    layout: Layout

    @cached_property
    def position(self) -> NDArray[np.intp]:
        """The position of the column of each entry, intp [width], ascending."""
        sizes = [1 if block.kind == "number" else min(block.size, LEVELS) for block in self.layout.blocks]
        return np.repeat(np.arange(len(sizes)), sizes)

    def completed(self, data: Encoded, filled: Filled) -> Floats:
        """Return completed rows, float32 [n, width]."""
        parts = []
        for block in self.layout.blocks:
            at = block.position
            if block.kind == "number":
                parts.append(expanded(filled.point[:, at])[:, None].astype(np.float32))
            else:
                codes = np.where(data.observed[:, at], data.values[:, at], filled.point[:, at])
                level = (codes[:, None] == np.arange(block.size) + FIRST_LEVEL).astype(np.float32)
                proba = filled.proba.get(at, level)
                parts.append(np.where(data.observed[:, at, None], level, proba)[:, :LEVELS])
        return np.concatenate(parts, axis=1)

    def codes(self, data: Encoded, completed: Floats) -> Floats:
        """Return completed rows with one entry a column: numbers, and codes of levels, float32 [n, columns]."""
        codes = np.empty((len(data), len(self.layout.blocks)), dtype=np.float32)
        for block in self.layout.blocks:
            entries = completed[:, self.position == block.position]
            if block.kind == "number":
                codes[:, block.position] = entries[:, 0]
            elif entries.shape[1]:
                codes[:, block.position] = np.where(
                    data.observed[:, block.position],
                    data.values[:, block.position],
                    entries.argmax(axis=1) + FIRST_LEVEL,
                )
        return codes

    def with_missing(self, data: Encoded) -> Floats:
        """Return rows with one entry a column, NaN where nothing is observed, float32 [n, columns]."""
        values = data.values.astype(np.float32)
        values[:, self.layout.numbers] = expanded(values[:, self.layout.numbers])
        return np.where(data.observed, values, np.float32(np.nan))


def compressed(values: NDArray[Any]) -> Floats:
    """Return numbers in units of the column's scale as the encoder compresses them, float32."""
    found: Floats = compress(values).astype(np.float32)
    return found


def mean_of(completed: Sequence[Floats]) -> Floats:
    """Return the mean of rows that several models have completed, float32 [n, width]."""
    mean: Floats = np.stack(completed).mean(axis=0, dtype=np.float32)
    return mean


@dataclass(frozen=True)
class CrossFittedImputer:
    """One imputer fitted once without each fold of the rows; new rows get the mean of the models' completed rows."""

    models: Sequence[Any]

    def complete(self, entry_layout: EntryLayout, data: Encoded) -> Floats:
        """Return the mean of the rows as the models complete them, float32 [n, width]."""
        return mean_of([entry_layout.completed(data, model.impute(data)) for model in self.models])

    def held_out(
        self, entry_layout: EntryLayout, data: Encoded, folds: NDArray[np.intp], positions: Sequence[int]
    ) -> Floats:
        """Return the rows once for each position, completed with that column hidden by the model fitted without them.

        Parameters
        ----------
        folds : intp [n]
            The model that was fitted without each row.

        Returns
        -------
        float32 [len(positions) * n, width]
        """
        found = np.empty((len(positions), len(data), len(entry_layout.position)), dtype=np.float32)
        for fold, model in enumerate(self.models):
            rows = np.flatnonzero(folds == fold)
            hidden = hide_each(data.take(rows), positions)
            completed = entry_layout.completed(hidden, model.impute(hidden))
            found[:, rows] = completed.reshape(len(positions), len(rows), -1)
        return found.reshape(-1, len(entry_layout.position))


def column_batches(columns: int, rows: int) -> Iterator[range]:
    """Yield the positions of columns in batches that need about `AT_ONCE` rows to hide each of them once."""
    together = max(1, AT_ONCE // max(rows, 1))
    for start in range(0, columns, together):
        yield range(start, min(start + together, columns))


def hide_each(data: Encoded, positions: Sequence[int]) -> Encoded:
    """Return the rows once for each position, with that column hidden."""
    cells = np.zeros((len(positions), *data.values.shape), dtype=bool)
    for number, position in enumerate(positions):
        cells[number, :, position] = True
    return Encoded.concatenate([data.hide(hidden) for hidden in cells])


def expected_values(imputer: Any, data: Encoded) -> Floats:
    """Return what an imputer predicts for each cell with that cell hidden, float32 [n, columns]."""
    expected, columns = np.empty_like(data.values), len(data.layout.blocks)
    for positions in column_batches(columns, len(data)):
        predicted = imputer.impute(hide_each(data, positions)).point.reshape(len(positions), len(data), columns)
        for number, position in enumerate(positions):
            expected[:, position] = predicted[number, :, position]
    return expected
