"""A uniform random sample of rows that are seen once, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SPARE = 1.25
"""Rows are dropped once there are so many times those wanted."""


@dataclass
class RowSample:
    """A uniform random sample without replacement: of rows with random keys, those with the smallest ones.

    What is drawn depends on the seed and on the order of the rows, not on how they are cut into batches.

    Reference: Efraimidis and Spirakis (2006), Weighted random sampling with a reservoir, Information Processing
    Letters 97, with equal weights.

    Parameters
    ----------
    size : int
        Rows of the sample; all rows if there are fewer.
    seed : int
        Of the keys.
    """

    size: int
    seed: int
    rows_seen: int = field(default=0, init=False)
    _keys: list[NDArray[np.float64]] = field(default_factory=list, init=False)
    _rows: list[NDArray[np.int64]] = field(default_factory=list, init=False)
    _tables: list[pa.Table] = field(default_factory=list, init=False)
    _below: float = field(default=np.inf, init=False)
    _count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng([self.seed, 31])

    def see(self, batch: pa.RecordBatch) -> None:
        """Take some of the rows of the next batch."""
        keys = self._rng.random(batch.num_rows)
        taken = np.flatnonzero(keys < self._below)
        if len(taken):
            self._keys.append(keys[taken])
            self._rows.append(self.rows_seen + taken)
            self._tables.append(pa.Table.from_batches([batch]).take(pa.array(taken)))
            self._count += len(taken)
        self.rows_seen += batch.num_rows
        if self._count > SPARE * self.size:
            self._drop()

    def _drop(self) -> None:
        """Keep the rows with the smallest keys, in the order of the table."""
        keys, rows = np.concatenate(self._keys), np.concatenate(self._rows)
        kept = np.sort(np.argpartition(keys, self.size - 1)[: self.size])
        table = pa.concat_tables(self._tables).take(pa.array(kept))
        self._keys, self._rows, self._tables = [keys[kept]], [rows[kept]], [table.combine_chunks()]
        self._below, self._count = float(keys[kept].max()), len(kept)

    def result(self, held: int) -> tuple[pa.Table, NDArray[np.int64], NDArray[np.bool_]]:
        """Return the sample in the table's order, the numbers of its rows, and a random part of it of `held` rows.

        Returns
        -------
        table : Table [n]
        rows : int64 [n]
        held : bool [n]
            True for the rows of that part.
        """
        if self._count > self.size:
            self._drop()
        keys = np.concatenate(self._keys)
        smallest = np.zeros(len(keys), dtype=np.bool_)
        smallest[np.argsort(keys, kind="stable")[:held]] = True
        return pa.concat_tables(self._tables), np.concatenate(self._rows), smallest
