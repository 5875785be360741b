"""The rows of a table that may have to be explained, kept while it is scored, so that it is read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from anomalo.calibration.thresholds import Threshold, most_anomalous
from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.jobs.part import Part, Rows
from anomalo.jobs.scoring.spool import Spool, joined
from anomalo.tabular.column import read_notes

IN_MEMORY = 1_000_000
"""So many cells of candidates are in memory, at most; more wait on disk."""
PIECES = 16
"""In so many pieces, at most."""


@dataclass(frozen=True)
class Selection:
    """Some rows of a table, by their p-values or numbers.

    Attributes
    ----------
    largest : float
        All rows of p-values up to this one.
    rows : int64 [k]
        These rows too, ascending.
    """

    largest: float = -np.inf
    rows: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def of(self, rows: Rows, p_values: Scores) -> Mask:
        """Return which of these rows, whose p-values are given, are selected, bool [n]."""
        found: Mask = p_values <= self.largest
        return found | np.isin(rows, self.rows) if len(self.rows) else found

    def and_rows(self, rows: Rows) -> Selection:
        """Return the selection with more rows."""
        return Selection(self.largest, np.union1d(self.rows, rows))


class Candidates:
    """Rows that may be alerts, or among the most anomalous ones; the others are dropped as more rows are seen.

    In memory are at most twice as many rows as these, and not more than `IN_MEMORY` cells; the others are spooled.

    Parameters
    ----------
    threshold : Threshold
        When a row is an alert.
    most : int
        So many of the most anomalous rows are candidates too.
    spool : Spool, optional
        Where candidates wait that are too many; without one all are in memory.
    kept : bool
        Whether the rows are kept; else only which are the most anomalous ones.
    """

    def __init__(self, threshold: Threshold, most: int, spool: Spool | None = None, *, kept: bool = True) -> None:
        self._threshold = threshold
        self._most = max(most, int(threshold.value)) if threshold.kind == "budget" else most
        self._spool, self._keeps = spool, kept
        self._kept: list[_Kept] = []
        self._rows: Rows = np.zeros(0, dtype=np.int64)  # the most anomalous ones, ascending
        self._p_values, self._scores = np.zeros(0), np.zeros(0)

    @property
    def most_anomalous(self) -> tuple[Rows, Scores, Scores]:
        """The most anomalous rows, the first one first, their scores and their p-values."""
        order = most_anomalous(self._p_values, self._scores)
        return self._rows[order], self._scores[order], self._p_values[order]

    def see(self, part: Part, p_values: Scores, scores: Scores) -> None:
        """Add the next part of the table, with the p-values and scores of its rows."""
        possible = self._threshold.possible(p_values)
        better = np.flatnonzero(self._better(p_values, scores))
        possible[better[self._rank(part.rows[better], p_values[better], scores[better])]] = True
        here = np.flatnonzero(possible)
        if len(here) and self._keeps:
            self._kept.append(_Kept(taken_rows(part, here), p_values[here]))
            self._put_aside()

    def parts(self, selection: Selection, most: int) -> Iterator[Part]:
        """Yield the candidates that are selected, ascending, `most` in each part but the last, and release them all."""
        waiting: list[Part] = []
        for kept in self._released():
            part = kept.part.take(np.flatnonzero(selection.of(kept.part.rows, kept.p_values)))
            while len(part.rows):
                missing = most - sum(len(one.rows) for one in waiting)
                waiting.append(part if len(part.rows) <= missing else part.take(np.arange(missing)))
                if len(part.rows) >= missing:
                    yield joined_parts(waiting)
                    waiting = []
                part = part.take(np.arange(missing, max(len(part.rows), missing)))
        if waiting:
            yield joined_parts(waiting)

    def _better(self, p_values: Scores, scores: Scores) -> Mask:
        """Return which rows are more anomalous than the last of the most anomalous ones; all if those are too few."""
        if len(self._rows) < self._most:
            return np.ones(len(p_values), dtype=np.bool_)
        if not self._most:
            return np.zeros(len(p_values), dtype=np.bool_)
        last = most_anomalous(self._p_values, self._scores)[-1]
        p_value, score = self._p_values[last], self._scores[last]
        found: Mask = (p_values < p_value) | ((p_values == p_value) & (scores > score))
        return found

    def _rank(self, rows: Rows, p_values: Scores, scores: Scores) -> Mask:
        """Add rows to the most anomalous ones, return which are among them, and drop those that no longer are."""
        before = len(self._rows)
        rows = np.concatenate([self._rows, rows])
        p_values, scores = np.concatenate([self._p_values, p_values]), np.concatenate([self._scores, scores])
        among = np.zeros(len(rows), dtype=np.bool_)
        among[most_anomalous(p_values, scores)[: self._most]] = True
        lost = ~among & ~self._threshold.possible(p_values)
        self._drop(rows[:before][lost[:before]])
        self._rows, self._p_values, self._scores = rows[among], p_values[among], scores[among]
        return among[before:]

    def _drop(self, rows: Rows) -> None:
        """Drop rows, ascending, that are no candidates any more; what is spooled stays."""
        if not self._kept:
            return
        rows = rows[rows.searchsorted(self._kept[0].part.rows[0]) :]
        ends = np.searchsorted(rows, [kept.part.rows[-1] for kept in self._kept], side="right").tolist()
        for kept, start, end in zip(self._kept, [0, *ends], ends, strict=False):
            if start < end:
                kept.drop(rows[start:end])
        self._kept = [kept for kept in self._kept if len(kept.part.rows)]

    def _put_aside(self) -> None:
        """Spool all rows in memory, if they have too many cells; else keep them in few pieces.

        Many small pieces, each of which outlives the large arrays of its batch, would fragment the memory.
        """
        columns = max(self._kept[0].part.batch.num_columns, 1)
        if self._spool is None or columns * sum(len(kept.part.rows) for kept in self._kept) <= IN_MEMORY:
            if len(self._kept) > PIECES:
                self._kept = [_Kept.joined(self._kept)]
            return
        for kept in self._kept:
            self._spool.write(kept.to_batch())
        self._kept = []

    def _released(self) -> Iterator[_Kept]:
        """Yield all rows in order, and release them."""
        if self._spool is not None:
            yield from map(_Kept.from_batch, self._spool.read())
            self._spool = None
        while self._kept:
            yield self._kept.pop(0)


class _Kept:
    """Some rows of a batch, of which not all may be candidates any more, and their p-values."""

    def __init__(self, part: Part, p_values: Scores) -> None:
        self.part, self.p_values = part, p_values
        self._live = np.ones(len(part.rows), dtype=np.bool_)

    def drop(self, rows: Rows) -> None:
        """Drop rows; memory is released once it is half of all."""
        self._live[np.searchsorted(self.part.rows, rows)] = False
        if 2 * self._live.sum() <= len(self._live):
            self._take()

    def to_batch(self) -> pa.RecordBatch:
        """Return the rows, without their encoding, as one batch that has their numbers and p-values in front."""
        self._take()
        batch = self.part.batch
        fields = [pa.field("row", pa.int64()), pa.field("p_value", pa.float64()), *batch.schema]
        columns = [pa.array(self.part.rows), pa.array(self.p_values), *batch.columns]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, batch.schema.metadata))

    @classmethod
    def from_batch(cls, batch: pa.RecordBatch) -> _Kept:
        """Return the rows of `to_batch`."""
        raw = pa.RecordBatch.from_arrays(
            batch.columns[2:], schema=pa.schema(list(batch.schema)[2:], batch.schema.metadata)
        )
        return cls(Part(batch.column(0).to_numpy(), raw), batch.column(1).to_numpy())

    @classmethod
    def joined(cls, pieces: list[_Kept]) -> _Kept:
        """Return the rows of several as one."""
        for kept in pieces:
            kept._take()
        return cls(joined_parts([kept.part for kept in pieces]), np.concatenate([kept.p_values for kept in pieces]))

    def _take(self) -> None:
        if not self._live.all():
            self.part, self.p_values = self.part.take(np.flatnonzero(self._live)), self.p_values[self._live]
            self._live = np.ones(len(self.part.rows), dtype=np.bool_)


def taken_rows(part: Part, at: Rows) -> Part:
    """Return rows of a part by copy; strings that were read as dictionaries are without the words of other rows."""
    taken = part.take(at)
    words = read_notes(taken.batch.schema).get("strings", {})
    plain = {name for name in words if pa.types.is_dictionary(taken.batch.schema.field(name).type)}
    if not plain:
        return taken
    fields = [field.with_type(field.type.value_type) if field.name in plain else field for field in taken.batch.schema]
    return Part(taken.rows, taken.batch.cast(pa.schema(fields, taken.batch.schema.metadata)), taken.data)


def joined_parts(parts: list[Part]) -> Part:
    """Return parts as one, which is encoded if all of them are."""
    if len(parts) == 1:
        return parts[0]
    encoded = [part.data for part in parts if part.data is not None]
    data = Encoded.concatenate(encoded) if len(encoded) == len(parts) else None
    rows = np.concatenate([part.rows for part in parts])
    return Part(rows, joined([part.batch for part in parts]), data)
