"""Changes of series apart from the outliers in them: learned by a fit, looked for in a scoring, written and said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from anomalo.calibration.changes import Change, ChangeMonitor, UsualBlocks, block_length, strongest
from anomalo.encoding.series.sampling import in_order
from anomalo.jobs.series.points import FIXED, SeenPoints, channels_of, known_series
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.writing.writer import TableWriter

FILE = "changes.parquet"
SAID = 3
"""So many changes are said; all are in the file."""

MEANING = "alerts since then may be the change and no outliers; fit again where it is here to stay"

Stamp = tuple[str, str | None]
"""The time of a row, and its series, as they are in the source."""

SCHEMA = pa.schema(
    [
        ("entity", pa.string()),
        ("channel", pa.string()),
        ("kind", pa.string()),
        ("start", pa.string()),
        ("end", pa.string()),
        ("before", pa.float64()),
        ("after", pa.float64()),
        ("size", pa.float64()),
        ("start_row", pa.int64()),
        ("end_row", pa.int64()),
    ]
)


def usual_blocks(table: ParsedTable, fitted: Fitted) -> UsualBlocks | None:
    """Return what blocks of the training points are like; None of a table without time, or without numbers."""
    schema, layout = fitted.schema, fitted.encoder.layout
    if schema.time is None or not channels_of(layout):
        return None
    channels = [schema.column(block.name) for block in channels_of(layout)]
    times, series = known_series(fitted).read(table)
    order = in_order(times, series)
    values = np.stack([np.asarray(table.parse(each, schema.reading)[0]) for each in channels], axis=1)
    return UsualBlocks.of(values[order], series[order], int(series.max()) + 1, block_length(layout.window))


def changes_of(points: SeenPoints, usual: UsualBlocks) -> list[Change]:
    """Return the changes in the points of a source."""
    monitor = ChangeMonitor(usual)
    for batch in points.batches():
        series, rows = batch["series"].to_numpy(), batch["row"].to_numpy()
        values = np.stack([each.to_numpy(zero_copy_only=False) for each in batch.columns[len(FIXED) :]], axis=1)
        for number in np.unique(series).tolist():
            mine = series == number
            monitor.see(number, values[mine], rows[mine])
    return monitor.changes()


@dataclass(frozen=True)
class FoundChanges:
    """The changes in a source of series, as they are written and said.

    Parameters
    ----------
    changes : list of Change
        In the order of their rows.
    fitted : Fitted
        The model.
    stamps : mapping of int to (str, str or None)
        The times and series of the rows where changes begin and end, as they are in the source.
    """

    changes: list[Change]
    fitted: Fitted
    stamps: Mapping[int, Stamp]

    @classmethod
    def of(
        cls,
        points: SeenPoints,
        fitted: Fitted,
        stamps: Callable[[list[int]], Mapping[int, Stamp]],
    ) -> FoundChanges | None:
        """Find the changes in the points of a source; None if the model has learned nothing to compare them with.

        Parameters
        ----------
        stamps : callable
            Returns the times and series of rows, as they are in the source.
        """
        if fitted.usual is None:
            return None
        found = changes_of(points, fitted.usual)
        rows = {row for change in found for row in (change.start_row, change.end_row) if row is not None}
        return cls(found, fitted, stamps(sorted(rows)))

    def write(self, folder: Path) -> None:
        """Write a line for each change."""
        with TableWriter(folder / FILE, SCHEMA) as file:
            for batch in pa.Table.from_pylist([self._line(change) for change in self.changes], SCHEMA).to_batches():
                file.write(batch)

    def _line(self, change: Change) -> dict[str, object]:
        start, entity = self.stamps[change.start_row]
        return {
            "entity": entity,
            "channel": self._channel(change),
            "kind": change.kind,
            "start": start,
            "end": None if change.end_row is None else self.stamps[change.end_row][0],
            "before": change.before,
            "after": change.after,
            "size": change.size,
            "start_row": change.start_row,
            "end_row": change.end_row,
        }

    def _channel(self, change: Change) -> str:
        return channels_of(self.fitted.encoder.layout)[change.channel].name

    def sentences(self) -> list[str]:
        """Return a sentence on the strongest changes, and what they mean for the alerts; none if there is no change."""
        if not self.changes:
            return []
        said = [self._said(change) for change in strongest(self.changes, SAID)]
        more = len(self.changes) - len(said)
        others = f"; and {more:,} more" if more else ""
        return [f"{'; '.join(said)}{others} (see {FILE}): {MEANING}"]

    def _said(self, change: Change) -> str:
        end = "" if change.end_row is None else self.stamps[change.end_row][0]
        return described(change, self._channel(change), self.stamps[change.start_row], end)


def described(change: Change, channel: str, began: Stamp, end: str = "") -> str:
    """Return a phrase on a change of a channel, given the time and series of its first row, and when it ended."""
    start, entity = began
    name = repr(channel) if entity is None else f"{channel!r} of {entity!r}"
    until = f" until {end}" if end else ""
    levels = f"{change.before:.4g} to {change.after:.4g}"
    if change.kind == "scale":
        return f"scale change since {start}{until} in {name}, interquartile range from {levels}"
    what = "drift" if change.kind == "drift" else "level change"
    return f"{what} since {start}{until} in {name}, from {levels}"
