"""Changes of series whose rows are followed as they come, each said once."""

from __future__ import annotations

import numpy as np

from anomalo.calibration.changes import Change, ChangeMonitor
from anomalo.jobs.part import Part
from anomalo.jobs.series.changes import MEANING, Stamp, described
from anomalo.jobs.series.points import channels_of, known_series, numbers_of
from anomalo.pipeline.explaining.expected_cells import text
from anomalo.pipeline.fitted import Fitted


class FollowedChanges:
    """Finds the changes in series as their rows come, each as in one batch; what is kept does not grow with the rows.

    Parameters
    ----------
    fitted : Fitted
        The model; if it has learned nothing to compare with, nothing is found.

    Attributes
    ----------
    count : int
        How many changes were found.
    """

    def __init__(self, fitted: Fitted) -> None:
        self._fitted, self._series = fitted, known_series(fitted)
        self._monitor = None if fitted.usual is None else ChangeMonitor(fitted.usual)
        self._stamps: dict[int, Stamp] = {}
        self._said: set[tuple[int, int, bool, int, int]] = set()
        self.count = 0

    def see(self, part: Part) -> list[str]:
        """Add the next rows, in the order of time within each series, and return what is new, in sentences."""
        monitor, schema, data = self._monitor, self._fitted.schema, part.data
        if monitor is None or data is None or not len(part.rows):
            return []
        stamps = text(part.batch.column(schema.time)).to_pylist()
        entities = [None] * len(stamps) if schema.entity is None else text(part.batch.column(schema.entity)).to_pylist()
        self._stamps |= zip(part.rows.tolist(), zip(stamps, entities, strict=True), strict=True)
        numbers, series = numbers_of(data), self._series.read(part.batch)[1]
        for number in np.unique(series).tolist():
            mine = series == number
            monitor.see(number, numbers[mine], part.rows[mine])
        found = [self._sentence(change) for change in monitor.changes() if self._is_new(change)]
        self._stamps = {row: self._stamps[row] for row in monitor.open_rows()}
        return found

    def _is_new(self, change: Change) -> bool:
        """Whether a change, or that it is over, was not said yet; a level that proves to drift is no other change."""
        begun, ended = ((change.series, change.channel, change.kind == "scale", change.start_row, at) for at in (0, 1))
        known, key = self._said & {begun, ended}, begun if change.end_row is None else ended
        self._said.add(key)
        self.count += not known
        return key not in known

    def _sentence(self, change: Change) -> str:
        channel = channels_of(self._fitted.encoder.layout)[change.channel].name
        said = described(change, channel, self._stamps[change.start_row])
        return f"{said}: {MEANING}" if change.end_row is None else f"{said}, is over"
