"""The normal rows of a scored table that are most like an explained one: what such rows usually hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Scores
from anomalo.encoding.mixed_distance import mixed_distances
from anomalo.jobs.part import Part, Rows
from anomalo.jobs.scoring.candidates import Selection, joined_parts, taken_rows
from anomalo.jobs.scoring.numbered import numbered, numbered_schema
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.out_of_core.row_sample import SPARE
from anomalo.tabular.writing.writer import TableWriter

FILE, NORMAL = "neighbours.parquet", "normal_rows.parquet"
"""In a run's folder: the nearest rows by their numbers, and the sampled rows among which they were searched."""
NEAREST = 5
MOST_ROWS, MOST_CELLS, FEWEST_ROWS = 1_500, 150_000, 100
SEED = 7
SCHEMA = pa.schema([pa.field("row", pa.int64()), pa.field("neighbour", pa.int64()), pa.field("distance", pa.float64())])


def sampled_rows(columns: int) -> int:
    """Return among how many rows of a table with so many columns the nearest are searched.

    Examples
    --------
    >>> sampled_rows(20), sampled_rows(400), sampled_rows(10_000)
    (1500, 375, 100)
    """
    return min(max(MOST_CELLS // max(columns, 1), FEWEST_ROWS), MOST_ROWS)


@dataclass
class NormalRows:
    """A random sample of a scored table, of which the alerts are left out once they are known.

    It is drawn as by `RowSample`, and its rows stay encoded where they are. What is drawn depends on the order of the
    rows only, not on batches nor workers.

    Parameters
    ----------
    size : int
        Rows of the sample.
    """

    size: int
    _parts: list[Part] = field(default_factory=list, init=False)
    _keys: list[NDArray[np.float64]] = field(default_factory=list, init=False)
    _p_values: list[Scores] = field(default_factory=list, init=False)
    _below: float = field(default=np.inf, init=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng([SEED, 37])

    def see(self, part: Part, p_values: Scores) -> None:
        """Add the next rows of the table."""
        keys = self._rng.random(len(part.rows))
        taken = np.flatnonzero(keys < self._below)
        if len(taken):
            self._parts.append(taken_rows(part, taken))
            self._keys.append(keys[taken])
            self._p_values.append(p_values[taken])
        if sum(map(len, self._keys)) > SPARE * self.size:
            self._drop()

    def _drop(self) -> None:
        """Keep the rows with the smallest keys, in the order of the table."""
        part, keys, p_values = joined_parts(self._parts), np.concatenate(self._keys), np.concatenate(self._p_values)
        kept = np.sort(np.argsort(keys, kind="stable")[: self.size])
        self._parts, self._keys, self._p_values = [part.take(kept)], [keys[kept]], [p_values[kept]]
        if len(kept) == self.size:
            self._below = float(keys[kept].max())

    def found(self, selection: Selection) -> Part | None:
        """Return the sampled rows that are no alerts, None if there are none; `selection` has the alerts."""
        if not self._parts:
            return None
        self._drop()
        part = self._parts[0].take(np.flatnonzero(~selection.of(self._parts[0].rows, self._p_values[0])))
        return part if len(part.rows) else None


@dataclass(frozen=True)
class Neighbourhood:
    """Normal rows, encoded, among which those nearest to others are found.

    Attributes
    ----------
    rows : int64 [m]
        Their numbers.
    data : Encoded [m]
        The same rows.
    """

    rows: Rows
    data: Encoded

    def nearest(self, rows: Rows, data: Encoded) -> tuple[Rows, NDArray[np.float32]]:
        """Return the numbers and the distances of the rows nearest to each row, [n, up to 5], the nearest one first.

        A row is not its own neighbour; equally distant ones are in the order of the table. A distance is infinite where
        there is no further row.
        """
        distances = mixed_distances(data, self.data)
        distances[rows[:, None] == self.rows] = np.inf
        most = min(NEAREST, len(self.rows))
        if most == 0:
            return np.zeros((len(rows), 0), dtype=np.int64), np.zeros((len(rows), 0), dtype=np.float32)
        first = np.sort(np.argpartition(distances, most - 1, axis=1)[:, :most], axis=1)
        there = np.take_along_axis(distances, first, axis=1)
        order = np.argsort(there, axis=1, kind="stable")
        return self.rows[np.take_along_axis(first, order, axis=1)], np.take_along_axis(there, order, axis=1)

    def table(self, rows: Rows, data: Encoded) -> pa.Table:
        """Return the nearest rows as `FILE` has them, the rows in the given order."""
        found, distances = self.nearest(rows, data)
        there = np.isfinite(distances).ravel()
        columns = np.repeat(rows, found.shape[1]), found.ravel(), distances.ravel().astype(np.float64)
        return pa.table([pa.array(column[there]) for column in columns], schema=SCHEMA)


def stored_normal_rows(folder: Path, like: pa.Schema) -> Part | None:
    """Return the normal rows in a run's folder, with the columns of its table, `like`; None if there are none."""
    if not (folder / NORMAL).exists():
        return None
    table = pq.read_table(folder / NORMAL).combine_chunks()
    columns = [column.combine_chunks() for column in table.columns[1:]]
    fields = [pa.field(name, column.type) for name, column in zip(like.names, columns, strict=True)]
    batch = pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, like.metadata))
    return Part(table.column(0).to_numpy(), batch)


@contextmanager
def neighbours_writer(folder: Path, fitted: Fitted, normal: Part | None) -> Iterator[Callable[[Part], None]]:
    """Write the normal rows into a run's folder, and give a function that writes the nearest of them to explained rows.

    Nothing is written where there are none.
    """
    if normal is None:
        yield lambda part: None
        return
    with TableWriter(folder / NORMAL, numbered_schema(normal.batch.schema)) as rows:
        rows.write(numbered(normal))
    around = Neighbourhood(normal.rows, normal.data or normal.encoded(fitted, strict=False))
    with TableWriter(folder / FILE, SCHEMA) as kept:

        def write(part: Part) -> None:
            for batch in around.table(part.rows, part.data or part.encoded(fitted, strict=False)).to_batches():
                kept.write(batch)

        yield write
