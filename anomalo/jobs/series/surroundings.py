"""The points around each batch of a series that windows of its rows reach, carried from batch to batch."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

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
    """Reads the time and the series of raw rows; series have the same numbers in all batches.

    Parameters
    ----------
    schema : Schema
        The columns.
    known : mapping of str to int
        The numbers of some series by their names, from 0 on.
    """

    def __init__(self, schema: Schema, known: Mapping[str, int] = MappingProxyType({})) -> None:
        self._schema = schema
        self._numbers = dict(known)

    def read(self, batch: pa.RecordBatch | ParsedTable) -> tuple[NDArray[np.float64], Indices]:
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
    """Whether the points of a source are in the order of time, each series for itself, as they are read.

    Attributes
    ----------
    stamps : Stamps
        Reads the batches.
    points : Counter
        How many points each series has had.
    """

    def __init__(self, schema: Schema) -> None:
        self.stamps, self.points = Stamps(schema), Counter[int]()
        self._last: dict[int, float] = {}

    def keeps(self, batch: pa.RecordBatch) -> bool:
        """Whether no point of the next batch is earlier than one before it of the same series."""
        times, series = self.stamps.read(batch)
        if not is_ordered(times, series):
            return False
        for number in np.unique(series).tolist():
            mine = times[series == number]
            if mine[0] < self._last.get(number, -np.inf):
                return False
            self._last[number] = float(mine[-1])
            self.points[number] += len(mine)
        return True


def survey(batches: Iterable[pa.RecordBatch], schema: Schema) -> TimeOrder | None:
    """Read a source of series; None if a point is earlier than one before it of the same series."""
    order = TimeOrder(schema)
    return order if all(order.keeps(batch) for batch in batches) else None


class Surroundings:
    """Gives parts of a source, in the order of time, the points around them.

    Only points are held that a window may still reach: those of a series that has ended are not.

    Parameters
    ----------
    stamps : Stamps
        Reads the batches.
    before, after : int
        How many points of the same series before and after each row.
    points : Counter, optional
        How many points each series has, if the source was read before; else any may have more, and no part waits.
    """

    def __init__(self, stamps: Stamps, before: int, after: int = 0, points: Counter[int] | None = None) -> None:
        self._before, self._after = before, 0 if points is None else after
        self._stamps = stamps
        self._left = None if points is None else np.array([points[at] for at in range(max(points, default=-1) + 1)])
        self._tail: pa.RecordBatch | None = None

    def of(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield the parts with the points around them; each waits until those after it are read."""
        waiting: deque[Part] = deque()
        for part in parts:
            waiting.append(part)
            while waiting and self._is_enough(waiting):
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _next(self, waiting: deque[Part]) -> Part:
        part, before = waiting.popleft(), self._tail
        if self._left is not None:
            self._left -= self._count([part], len(self._left))
        self._tail = self._last([part.batch] if before is None else [before, part.batch])
        return replace(part, before=before, after=self._following(part, waiting))

    def _last(self, batches: list[pa.RecordBatch]) -> pa.RecordBatch | None:
        """Return the last points of each series that has more of them, in order."""
        if not self._before:
            return None
        return last_points(pa.concat_batches(batches), self._before, self._stamps, self._left)

    def _following(self, part: Part, waiting: deque[Part]) -> pa.RecordBatch | None:
        """Return the first points after a part of each of its series."""
        if not self._after or not waiting:
            return None
        together = pa.concat_batches([each.batch for each in waiting])
        series = self._stamps.read(together)[1]
        mine = np.isin(series, self._stamps.read(part.batch)[1])
        return _taken(together, mine & (_rank(series) < self._after))

    def _is_enough(self, waiting: deque[Part]) -> bool:
        """Whether as many points as are needed, or all that there are, follow the first part in each of its series."""
        if not self._after or self._left is None:
            return True
        here, *others = waiting
        mine = self._count([here], len(self._left))
        needed = np.minimum(self._left - mine, self._after)
        return bool((self._count(others, len(self._left)) >= needed)[mine > 0].all())

    def _count(self, parts: Sequence[Part], size: int) -> Indices:
        """Return how many points of each series are in some parts, [size]."""
        found = np.zeros(size, dtype=np.intp)
        for part in parts:
            found += np.bincount(self._stamps.read(part.batch)[1], minlength=size)
        return found


def last_points(batch: pa.RecordBatch, most: int, stamps: Stamps, left: Indices | None = None) -> pa.RecordBatch | None:
    """Return the last points of each series, in order; where it is known how many are `left`, of those with any."""
    series = stamps.read(batch)[1]
    last = _rank(series[::-1])[::-1] < most
    return _taken(batch, last if left is None else last & (left[series] > 0))


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
