"""The rows of a table that may have to be explained, kept while it is scored, so that it is read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from anomalo.calibration.thresholds import Threshold, most_anomalous
from anomalo.encoding.encoded import Scores
from anomalo.jobs.sharding import Part, Rows
from anomalo.tabular.column import read_notes


class Candidates:
    """Rows that may be alerts, or among the most anomalous ones; the others are dropped as more rows are seen.

    In memory are at most twice as many rows as these.

    Parameters
    ----------
    threshold : Threshold
        When a row is an alert.
    most : int
        So many of the most anomalous rows are candidates too.
    """

    def __init__(self, threshold: Threshold, most: int) -> None:
        self._threshold = threshold
        self._most = max(most, int(threshold.value)) if threshold.kind == "budget" else most
        self._kept: list[_Kept] = []
        self._rows: Rows = np.zeros(0, dtype=np.int64)  # the most anomalous ones, ascending
        self._p_values, self._scores = np.zeros(0), np.zeros(0)

    def see(self, part: Part, p_values: Scores, scores: Scores) -> None:
        """Add the next part of the table, with the p-values and scores of its rows."""
        before = len(self._rows)
        rows = np.concatenate([self._rows, part.rows])
        p_values, scores = np.concatenate([self._p_values, p_values]), np.concatenate([self._scores, scores])
        possible = self._threshold.possible(p_values)
        among = np.zeros(len(rows), dtype=np.bool_)
        among[most_anomalous(p_values, scores)[: self._most]] = True
        self._drop(rows[:before][~(among | possible)[:before]])
        here = np.flatnonzero((among | possible)[before:])
        if len(here):
            self._kept.append(_Kept(_taken(part, here)))
        self._rows, self._p_values, self._scores = rows[among], p_values[among], scores[among]

    def parts(self, rows: Rows, most: int) -> Iterator[Part]:
        """Yield the candidates whose numbers are given, ascending, at most `most` in a part, and release them all."""
        while self._kept:
            part = self._kept.pop(0).part
            at = np.flatnonzero(np.isin(part.rows, rows))
            for start in range(0, len(at), most):
                yield part.take(at[start : start + most])

    def _drop(self, rows: Rows) -> None:
        """Drop rows, ascending, that are no candidates any more."""
        ends = np.searchsorted(rows, [kept.part.rows[-1] for kept in self._kept], side="right").tolist()
        for kept, start, end in zip(self._kept, [0, *ends], ends, strict=False):
            if start < end:
                kept.drop(rows[start:end])
        self._kept = [kept for kept in self._kept if len(kept.part.rows)]


class _Kept:
    """Some rows of a batch, of which not all may be candidates any more."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._live = np.ones(len(part.rows), dtype=np.bool_)

    def drop(self, rows: Rows) -> None:
        """Drop rows; memory is released once it is half of all."""
        self._live[np.searchsorted(self.part.rows, rows)] = False
        if 2 * self._live.sum() <= len(self._live):
            self.part = self.part.take(np.flatnonzero(self._live))
            self._live = np.ones(len(self.part.rows), dtype=np.bool_)


def _taken(part: Part, at: Rows) -> Part:
    """Return rows of a part by copy; strings that were read as dictionaries are without the words of other rows."""
    taken = part.take(at)
    words = read_notes(taken.batch.schema).get("strings", {})
    plain = {name for name in words if pa.types.is_dictionary(taken.batch.schema.field(name).type)}
    if not plain:
        return taken
    fields = [field.with_type(field.type.value_type) if field.name in plain else field for field in taken.batch.schema]
    return replace(taken, batch=taken.batch.cast(pa.schema(fields, taken.batch.schema.metadata)))
