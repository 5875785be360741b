"""The rows of a scored table as they are written: scores, p-values, alerts, and the reasons of those explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.jobs.part import Rows
from anomalo.jobs.scoring.alerts import ScoredTable
from anomalo.jobs.scoring.spool import Ascending, Spool, in_slices

BATCH = 32_768
"""Rows in one written batch."""
COLUMNS = ("row", "score", "p_value", "alert", "reasons")
REASONS = pa.list_(
    pa.struct(
        [
            pa.field("column", pa.string()),
            pa.field("contribution", pa.float64()),
            pa.field("observed", pa.string()),
            pa.field("expected", pa.string()),
        ]
    )
)


@dataclass
class ScoreRows:
    """The rows of a scored table.

    Parameters
    ----------
    scored : ScoredTable
        Their scores.
    most : int
        So many rows `top` returns, at most.
    id : str or None
        The name of the column that names the rows.
    reasons : Spool
        Where the reasons wait until the rows are written.
    """

    scored: ScoredTable
    most: int
    id: str | None
    reasons: Spool
    _why: dict[int, list[dict[str, Any]]] = field(default_factory=dict, init=False)
    _names: dict[int, Any] = field(default_factory=dict, init=False)

    def keep(self, rows: Rows, why: dict[int, list[dict[str, Any]]]) -> None:
        """Keep the reasons of explained rows, ascending."""
        lists = pa.array([why[row] for row in rows.tolist()], REASONS)
        self.reasons.write(pa.RecordBatch.from_arrays([pa.array(rows), lists], names=["row", "reasons"]))
        self._why |= {row: why[row] for row in self._shown if row in why}

    def top(self) -> list[dict[str, Any]]:
        """Return the most anomalous rows as JSON-ready values, once all are written.

        Of a series they are the peaks of the intervals, with their times, series and numbers of points, if there are
        any: neighbours of a peak are as anomalous, and of the same event.
        """
        return [
            {
                "row": (row := values.pop("row")),
                **({self.id: self._names[row]} if self.id is not None and row in self._names else {}),
                **values,
                "reasons": self._why.get(row, []),
            }
            for values in map(dict, self._first)
        ]

    @cached_property
    def _first(self) -> list[dict[str, Any]]:
        """What is known of the rows of `top` without their names and reasons."""
        intervals, schema = self.scored.intervals, self.scored.work.fitted.schema
        if intervals is not None and len(intervals):
            return intervals.first(self.most, str(schema.time), schema.entity)
        rows, scores, p_values = self.scored.candidates.most_anomalous
        rows, scores, p_values = rows[: self.most], scores[: self.most], p_values[: self.most]
        columns = rows, scores, p_values, self.scored.selection.of(rows, p_values)
        lines = zip(*(each.tolist() for each in columns), strict=True)
        return [dict(zip(COLUMNS[:4], line, strict=True)) for line in lines]

    @cached_property
    def _shown(self) -> list[int]:
        return [values["row"] for values in self._first]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows in the input's order; once."""
        explained = Ascending(self.reasons.read())
        ids = None if self.scored.ids.empty or self.id is None else in_slices(self.scored.ids.read(), BATCH)
        for batch in in_slices(self._scores(), BATCH):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            row = columns["row"].to_numpy()
            if ids is not None and self.id is not None:
                names = next(ids).column(0)
                columns = {"row": columns.pop("row"), self.id: names, **columns}
                for at in (shown for shown in self._shown if row[0] <= shown <= row[-1]):
                    value = names[at - int(row[0])].as_py()
                    self._names[at] = value if isinstance(value, int | str | None) else str(value)
            columns["reasons"] = _reasons(row, explained.before(int(row[-1]) + 1))
            yield pa.RecordBatch.from_pydict(columns)

    def _scores(self) -> Iterator[pa.RecordBatch]:
        for part in self.scored.parts():
            yield pa.RecordBatch.from_arrays([pa.array(each) for each in part], names=list(COLUMNS[:4]))


def _reasons(rows: Rows, explained: list[pa.RecordBatch]) -> pa.ListArray:
    """Return the reasons of consecutive rows, most of which have none."""
    lengths = np.zeros(len(rows), dtype=np.int32)
    for batch in explained:
        lengths[batch.column(0).to_numpy() - rows[0]] = pc.list_value_length(batch.column(1)).to_numpy()
    offsets = np.append(np.int32(0), np.cumsum(lengths, dtype=np.int32))
    values = [batch.column(1).flatten() for batch in explained] or [pa.array([], REASONS.value_type)]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.concat_arrays(values))
