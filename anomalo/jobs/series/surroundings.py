"""The points around each batch of a series that windows of its rows reach, carried from batch to batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.series.sampling import is_ordered
from anomalo.jobs.part import Part
from anomalo.tabular.columns import Columns, ParsedTable
from anomalo.tabular.parsing import Texts
from anomalo.tabular.schema import Schema

Indices = NDArray[np.intp]


class Stamps:
    """Reads the time and the series of raw rows; series have the same numbers in all batches."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._numbers: dict[str, int] = {}

    def read(self, batch: pa.RecordBatch) -> tuple[NDArray[np.float64], Indices]:
        """Return the times of rows, nan where there is none, and the numbers of their series, each [n]."""
        table, columns = ParsedTable.of(batch), self._schema.of_series
        self._schema.check(table.names)
        parsed = Columns(table.rows, {each.name: table.parse(each, self._schema.reading)[0] for each in columns})
        times = np.asarray(parsed.values[str(self._schema.time)], dtype=np.float64)
        if self._schema.entity is None:
            return times, np.zeros(len(times), dtype=np.intp)
        cells = parsed.values[self._schema.entity]
        assert isinstance(cells, Texts), "series are named by texts"
        names = [name or "" for name in cells.distinct.to_pylist()]
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in [*names, ""]]
        return times, np.array(numbers, dtype=np.intp)[cells.index]


class TimeOrder:
    """Whether the points of a source are in the order of time, each series for itself, as they are read."""

    def __init__(self, schema: Schema) -> None:
        self._stamps, self._last = Stamps(schema), dict[int, float]()

    def keeps(self, batch: pa.RecordBatch) -> bool:
        """Whether no point of the next batch is earlier than one before it of the same series."""
        times, series = self._stamps.read(batch)
        if not is_ordered(times, series):
            return False
        for number in np.unique(series):
            mine = times[series == number]
            if mine[0] < self._last.get(int(number), -np.inf):
                return False
            self._last[int(number)] = float(mine[-1])
        return True


def is_in_order(batches: Iterable[pa.RecordBatch], schema: Schema) -> bool:
    """Whether no point of a source is earlier than one before it of the same series."""
    order = TimeOrder(schema)
    return all(order.keeps(batch) for batch in batches)


class Surroundings:
    """Gives parts of a source, in the order of time, the points around them.

    Parameters
    ----------
    schema : Schema
        Of series.
    before, after : int
        How many points of the same series before and after each row.
    """

    def __init__(self, schema: Schema, before: int, after: int) -> None:
        self._before, self._after = before, after
        self._stamps = Stamps(schema)
        self._tail: pa.RecordBatch | None = None

    def of(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield the parts with the points around them; each waits until those after it are read."""
        waiting: deque[Part] = deque()
        for part in parts:
            waiting.append(part)
            while self._after and len(waiting) > 1 and self._is_enough(waiting):
                yield self._next(waiting)
            if not self._after:
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _next(self, waiting: deque[Part]) -> Part:
        part, before = waiting.popleft(), self._tail
        self._tail = self._last([part.batch] if before is None else [before, part.batch])
        return replace(part, before=before, after=self._following(part, waiting))

    def _last(self, batches: list[pa.RecordBatch]) -> pa.RecordBatch | None:
        """Return the last points of each series, in order."""
        if not self._before:
            return None
        together = pa.concat_batches(batches)
        return _taken(together, _rank(self._stamps.read(together)[1][::-1])[::-1] < self._before)

    def _following(self, part: Part, waiting: deque[Part]) -> pa.RecordBatch | None:
        """Return the first points after a part of each of its series."""
        if not self._after or not waiting:
            return None
        together = pa.concat_batches([each.batch for each in waiting])
        series = self._stamps.read(together)[1]
        mine = np.isin(series, self._stamps.read(part.batch)[1])
        return _taken(together, mine & (_rank(series) < self._after))

    def _is_enough(self, waiting: deque[Part]) -> bool:
        """Whether as many points as are needed follow the first part in each of its series."""
        needed = np.unique(self._stamps.read(waiting[0].batch)[1])
        there = np.concatenate([self._stamps.read(part.batch)[1] for part in list(waiting)[1:]])
        counts = np.bincount(there, minlength=int(needed.max()) + 1)
        return bool((counts[needed] >= self._after).all())


def _rank(series: Indices) -> Indices:
    """Return for each row how many of the same series are before it, [n].

    Examples
    --------
    >>> _rank(np.array([4, 1, 4, 4])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(series, kind="stable")
    sorted_series = series[order]
    rank = np.empty(len(series), dtype=np.intp)
    rank[order] = np.arange(len(series)) - np.searchsorted(sorted_series, sorted_series)
    return rank


def _taken(batch: pa.RecordBatch, mask: NDArray[np.bool_]) -> pa.RecordBatch | None:
    return batch.take(pa.array(np.flatnonzero(mask))) if mask.any() else None
