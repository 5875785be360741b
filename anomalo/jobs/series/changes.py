"""Changes of series apart from the outliers in them: learned by a fit, looked for in a scoring, written and said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.calibration.changes import Change, ChangeMonitor, UsualBlocks, block_length, strongest
from anomalo.calibration.level_moves import level_moves
from anomalo.encoding.series.sampling import in_order
from anomalo.jobs.series.points import FIXED, SeenPoints, channels_of, known_series
from anomalo.pipeline.explaining.expected_cells import text
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.writing.writer import TableWriter

FILE = "changes.parquet"
SAID = 3
"""So many changes are said; all are in the file."""

MEANING = "alerts since then may be the change and no outliers; fit again where it is here to stay"
OF_MOVES = "both levels are usual to the model; fit the rows since then alone where the change is here to stay"
OF_DRIFTS = (
    "rows to come may lie beyond all that was learned, and be alerts for that alone; take the trend out first, such as "
    "by differences, or fit often"
)

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
    if not _has_numbers(fitted):
        return None
    values, series, _ = _ordered(table, fitted)
    return UsualBlocks.of(values, series, int(series.max()) + 1, block_length(fitted.encoder.layout.window))


def moves_of_fit(table: ParsedTable, fitted: Fitted) -> list[str]:
    """Return a sentence on levels that moved within the training points; none if none did, or there is no time."""
    schema = fitted.schema
    if not _has_numbers(fitted):
        return []
    found = level_moves(*_ordered(table, fitted), block_length(fitted.encoder.layout.window))

    def cell(name: str | None, row: int) -> str | None:
        return None if name is None else text(table.table.slice(row, 1).column(name))[0].as_py()

    stamps = {row: (str(cell(schema.time, row)), cell(schema.entity, row)) for row in {one.start_row for one in found}}
    return FoundChanges([], fitted, stamps, found).sentences()


def _has_numbers(fitted: Fitted) -> bool:
    return fitted.schema.time is not None and bool(channels_of(fitted.encoder.layout))


def _ordered(table: ParsedTable, fitted: Fitted) -> tuple[NDArray[np.floating], NDArray[np.intp], NDArray[np.intp]]:
    """Return the numbers of training points, nan where missing, their series, and rows, in the order of time."""
    schema = fitted.schema
    times, series = known_series(fitted).read(table)
    order = in_order(times, series)
    channels = [schema.column(block.name) for block in channels_of(fitted.encoder.layout)]
    values = np.stack([np.asarray(table.parse(each, schema.reading)[0]) for each in channels], axis=1)
    return values[order], series[order], order


def changes_of(points: SeenPoints, usual: UsualBlocks) -> list[Change]:
    """Return the changes in the points of a source, against what is usual."""
    monitor = ChangeMonitor(usual)
    for batch in points.batches():
        series, rows = batch["series"].to_numpy(), batch["row"].to_numpy()
        channels = batch.columns[len(FIXED) :][: usual.centre.shape[2]]
        values = np.stack([each.to_numpy(zero_copy_only=False) for each in channels], axis=1)
        for number in np.unique(series).tolist():
            mine = series == number
            monitor.see(number, values[mine], rows[mine])
    return monitor.changes()


def moves_of(points: SeenPoints, usual: UsualBlocks) -> list[Change]:
    """Return the levels that moved within the points of a source."""
    table = pa.Table.from_batches(list(points.batches())).combine_chunks()
    series = table["series"].to_numpy().astype(np.intp)
    channels = table.columns[len(FIXED) :][: usual.centre.shape[2]]
    values = np.stack([each.to_numpy() for each in channels], axis=1)
    return level_moves(values, series, table["row"].to_numpy(), int(usual.block[0]))


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
    moves : list of Change
        Of training points, how levels moved within them.
    """

    changes: list[Change]
    fitted: Fitted
    stamps: Mapping[int, Stamp]
    moves: list[Change] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        points: SeenPoints,
        fitted: Fitted,
        stamps: Callable[[list[int]], Mapping[int, Stamp]],
        trained: bool = False,
    ) -> FoundChanges | None:
        """Find the changes in the points of a source; None if the model has learned nothing to compare them with.

        Parameters
        ----------
        stamps : callable
            Returns the times and series of rows, as they are in the source.
        trained : bool
            Whether the points are those of training: then levels are compared within them, and where one moved, not
            with what is usual.
        """
        if fitted.usual is None:
            return None
        found = changes_of(points, fitted.usual)
        moves = moves_of(points, fitted.usual) if trained else []
        moved = {(move.series, move.channel) for move in moves}
        found = [each for each in found if each.kind == "scale" or (each.series, each.channel) not in moved]
        rows = {row for change in (*found, *moves) for row in (change.start_row, change.end_row) if row is not None}
        return cls(found, fitted, stamps(sorted(rows)), moves)

    def __len__(self) -> int:
        return len(self.changes) + len(self.moves)

    def write(self, folder: Path) -> None:
        """Write a line for each change."""
        lines = [self._line(change) for change in sorted([*self.changes, *self.moves], key=lambda one: one.start_row)]
        with TableWriter(folder / FILE, SCHEMA) as file:
            for batch in pa.Table.from_pylist(lines, SCHEMA).to_batches():
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
        """Return sentences on the strongest changes, and what they mean for the alerts; none if there is no change."""
        found = [f"{self._strongest(self.changes)} (see {FILE}): {MEANING}"] if self.changes else []
        if not self.moves:
            return found
        drifts = any(move.kind == "drift" for move in self.moves)
        return [*found, f"within the training rows: {self._strongest(self.moves)}: {OF_DRIFTS if drifts else OF_MOVES}"]

    def _strongest(self, changes: list[Change]) -> str:
        said = [self._said(change) for change in strongest(changes, SAID)]
        more = len(changes) - len(said)
        return "; ".join(said) + (f"; and {more:,} more" if more else "")

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
