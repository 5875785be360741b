"""Alerts of series as intervals: points that follow each other are one event, not many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask, Scores
from anomalo.jobs.part import Part, Rows
from anomalo.jobs.scoring.spool import Ascending, Spool
from anomalo.jobs.series.changes import FoundChanges
from anomalo.jobs.series.places import Keys, Places
from anomalo.jobs.series.points import SeenPoints
from anomalo.persistence.resume import Arrays
from anomalo.pipeline.explaining.expected_cells import text
from anomalo.pipeline.fitted import Fitted

JOINED = 4
"""Alerts are of one interval if they are no further apart than this part of a window."""
CHANNELS, LEAST = 5, 0.2
"""An interval names so many channels at most, and none of a smaller part of the contributions than this."""

TRAINED = 0.9
"""A source is the training table if at least this share of its points was in training."""

SCHEMA = pa.schema(
    [
        ("entity", pa.string()),
        ("start", pa.string()),
        ("end", pa.string()),
        ("peak", pa.string()),
        ("score", pa.float64()),
        ("p_value", pa.float64()),
        ("channels", pa.list_(pa.string())),
        ("points", pa.int64()),
        ("start_row", pa.int64()),
        ("end_row", pa.int64()),
        ("peak_row", pa.int64()),
    ]
)

PLACES = pa.schema([("row", pa.int64()), ("key", pa.int64()), ("stamp", pa.string()), ("entity", pa.string())])
FOUND = pa.schema([*PLACES, ("score", pa.float64()), ("p_value", pa.float64())])

Results = Iterable[tuple[Rows, Mask, Arrays]]


@dataclass(frozen=True)
class Intervals:
    """Intervals of alerts, and what is known of each of their points.

    Attributes
    ----------
    of : intp [k]
        The interval of each alert, ascending; alerts of one are in the order of time.
    rows : int64 [k]
        The alerts.
    score, p_value : float64 [k]
    stamp, entity : Array [k]
        Their times and series, as they are in the source.
    contributions : float64 [intervals, channels]
        Of explained points, summed; filled by `explain`.
    """

    of: NDArray[np.intp]
    rows: Rows
    score: Scores
    p_value: Scores
    stamp: pa.Array
    entity: pa.Array
    channels: Sequence[str]
    contributions: Scores

    def __len__(self) -> int:
        return len(self.contributions)

    def explain(self, rows: Rows, contribution: Scores) -> None:
        """Add the contributions of channels to the scores of explained rows, [n, channels]."""
        order = np.argsort(self.rows)
        at = np.searchsorted(self.rows[order], rows)
        known = at < len(order)
        known[known] = self.rows[order][at[known]] == rows[known]
        np.add.at(self.contributions, self.of[order[at[known]]], np.maximum(contribution[known], 0))

    def _places(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Return where each interval starts, ends and has its peak among the alerts, [intervals]."""
        starts = np.searchsorted(self.of, np.arange(len(self)))
        ends = np.append(starts[1:], len(self.of)) - 1
        peaks = [start + self.score[start : end + 1].argmax() for start, end in zip(starts, ends, strict=True)]
        return starts, ends, np.array(peaks, dtype=np.intp)

    def first(self, most: int, time: str, entity: str | None) -> list[dict[str, Any]]:
        """Return the peaks of the most anomalous intervals, at most so many, as JSON-ready values.

        Their times and series are named as in the source, by `time` and `entity`.
        """
        starts, ends, peaks = self._places()
        order = np.argsort(-self.score[peaks], kind="stable")[:most]
        return [
            {
                "row": int(self.rows[peak]),
                time: self.stamp[int(peak)].as_py(),
                **({} if entity is None else {entity: self.entity[int(peak)].as_py()}),
                "points": int(points),
                "score": float(self.score[peak]),
                "p_value": float(self.p_value[peak]),
                "alert": True,
            }
            for peak, points in zip(peaks[order], (ends - starts + 1)[order], strict=True)
        ]

    def table(self) -> pa.Table:
        """Return one line for each interval, in the order of their first rows."""
        if not len(self):
            return SCHEMA.empty_table()
        starts, ends, peaks = self._places()
        columns = [
            self.entity.take(pa.array(starts)),
            *(self.stamp.take(pa.array(at)) for at in (starts, ends, peaks)),
            pa.array(self.score[peaks]),
            pa.array(np.minimum.reduceat(self.p_value, starts)),
            pa.array([self._named(each) for each in self.contributions], pa.list_(pa.string())),
            pa.array(ends - starts + 1),
            *(pa.array(self.rows[at]) for at in (starts, ends, peaks)),
        ]
        found = pa.table(columns, schema=SCHEMA)
        return found.take(pa.array(np.argsort(self.rows[starts], kind="stable")))

    def _named(self, contributions: Scores) -> list[str]:
        """Return the channels that contribute most."""
        order = np.argsort(-contributions, kind="stable")[:CHANNELS]
        least = LEAST * contributions.sum()
        return [self.channels[at] for at in order if contributions[at] > 0 and contributions[at] >= least]


class AlertPlaces:
    """Keeps on disk where the rows of a source of series stand, until their alerts are known.

    Parameters
    ----------
    fitted : Fitted
        A model of series.
    path : Path
        The file.

    Attributes
    ----------
    points : SeenPoints
        Their times and channels.
    """

    def __init__(self, fitted: Fitted, path: Path) -> None:
        self._fitted, self._schema = fitted, fitted.schema
        self._places, self._spool = Places(fitted), Spool(path)
        self.points = SeenPoints(fitted, path.with_name("points.arrow"))
        self._rows = self._known = 0

    def see(self, part: Part) -> None:
        """Add the next part of the source."""
        stamp = text(part.batch.column(self._schema.time))
        none = pa.nulls(len(stamp), pa.string())
        entity = none if self._schema.entity is None else text(part.batch.column(self._schema.entity))
        places = self._places.of(part)
        self.points.see(part, places, entity)
        self._rows, self._known = self._rows + len(part.rows), self._known + int(part.arrays["known"].sum())
        columns = [pa.array(part.rows), pa.array(places), stamp, entity]
        self._spool.write(pa.RecordBatch.from_arrays(columns, schema=PLACES))

    def changes(self) -> FoundChanges | None:
        """Return the changes of the source; None if the model has learned nothing to compare it with."""
        return FoundChanges.of(self.points, self._fitted, self._stamps, self._known >= TRAINED * max(self._rows, 1))

    def _stamps(self, rows: list[int]) -> dict[int, tuple[str, str | None]]:
        """Return the times and series of rows, ascending, as they are in the source."""
        taken = Ascending(self._spool.read())
        found: dict[int, tuple[str, str | None]] = {}
        for row in rows:
            taken.before(row)
            (one,) = taken.before(row + 1)
            found[row] = one["stamp"][0].as_py(), one["entity"][0].as_py()
        return found

    def intervals(self, results: Callable[[], Results]) -> Intervals:
        """Return the intervals of alerts; the points between alerts of one are of it, too.

        Parameters
        ----------
        results : callable
            Returns rows, which of them are alerts, and their scores and p-values, part by part.
        """
        alerts = [batch["key"].to_numpy()[alert] for batch, (_, alert, _) in self._with(results)]
        keys = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *alerts]))
        new = np.diff(keys, prepend=np.int64(-(2**62))) > max(self._fitted.encoder.layout.window // JOINED, 1)
        first, last = keys[new], keys[np.append(np.flatnonzero(new)[1:], len(keys)) - 1] if len(keys) else keys
        found = [_within(batch, arrays, first, last) for batch, (_, _, arrays) in self._with(results)]
        rows = pa.Table.from_batches(found, schema=FOUND).sort_by([("key", "ascending"), ("row", "ascending")])
        channels = [block.name for block in self._fitted.encoder.layout.blocks]
        return Intervals(
            np.searchsorted(first, rows["key"].to_numpy(), side="right") - 1,
            rows["row"].to_numpy(),
            rows["score"].to_numpy(),
            rows["p_value"].to_numpy(),
            rows["stamp"].combine_chunks(),
            rows["entity"].combine_chunks(),
            channels,
            np.zeros((len(first), len(channels))),
        )

    def _with(self, results: Callable[[], Results]) -> Iterator[tuple[pa.RecordBatch, tuple[Rows, Mask, Arrays]]]:
        return zip(self._spool.read(), results(), strict=True)


def _within(batch: pa.RecordBatch, arrays: Arrays, first: Keys, last: Keys) -> pa.RecordBatch:
    """Return the rows of a batch that lie in intervals of keys, with their scores."""
    keys = batch["key"].to_numpy()
    at = np.searchsorted(first, keys, side="right") - 1
    rows = np.flatnonzero((at >= 0) & (keys <= last[np.maximum(at, 0)])) if len(first) else np.zeros(0, dtype=np.intp)
    taken = batch.take(pa.array(rows))
    columns = [*taken.columns, *(pa.array(arrays[name][rows]) for name in ("score", "p_value"))]
    return pa.RecordBatch.from_arrays(columns, schema=FOUND)


def intervals_beside(output: Path) -> Path:
    """Return the path of the file with the intervals, beside the scores.

    Examples
    --------
    >>> str(intervals_beside(Path("scores.csv.gz")))
    'scores.intervals.parquet'
    """
    return output.with_name(output.name.removesuffix(".gz").rpartition(".")[0] + ".intervals.parquet")
