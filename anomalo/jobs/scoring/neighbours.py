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
from anomalo.jobs.scoring.candidates import Selection
from anomalo.jobs.scoring.numbered import numbered, numbered_schema
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.out_of_core.row_sample import RowSample
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

    What is drawn depends on the order of the rows only, not on batches nor workers.

    Parameters
    ----------
    fitted : Fitted
        The model, whose encoding tells how far rows are from each other.
    """

    fitted: Fitted
    _sample: RowSample = field(init=False)

    def __post_init__(self) -> None:
        self._sample = RowSample(sampled_rows(len(self.fitted.schema.columns)), SEED)

    def see(self, batch: pa.RecordBatch, p_values: Scores) -> None:
        """Add the next rows of the table."""
        fields = [*batch.schema, pa.field("p_value", pa.float64())]
        columns = [*batch.columns, pa.array(p_values)]
        self._sample.see(pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, batch.schema.metadata)))

    def found(self, selection: Selection) -> Part:
        """Return the sampled rows that are no alerts; `selection` has the alerts."""
        table, rows, _ = self._sample.result(0)
        normal = np.flatnonzero(~selection.of(rows, table.column(table.num_columns - 1).to_numpy()))
        kept = table.select(range(table.num_columns - 1)).take(pa.array(normal)).combine_chunks()
        columns = [column.combine_chunks() for column in kept.columns]
        return Part(rows[normal], pa.RecordBatch.from_arrays(columns, schema=kept.schema))


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
    if normal is None or not len(normal.rows):
        yield lambda part: None
        return
    with TableWriter(folder / NORMAL, numbered_schema(normal.batch.schema)) as rows:
        rows.write(numbered(normal))
    around = Neighbourhood(normal.rows, normal.encoded(fitted, strict=False))
    with TableWriter(folder / FILE, SCHEMA) as kept:

        def write(part: Part) -> None:
            for batch in around.table(part.rows, part.data or part.encoded(fitted, strict=False)).to_batches():
                kept.write(batch)

        yield write
