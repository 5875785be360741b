"""Where the points of a source stand in their stretches, as it is read part by part."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.series.sampling import Sampling
from anomalo.jobs.part import Part
from anomalo.jobs.series.surroundings import Stamps
from anomalo.pipeline.fitted import Fitted

STRETCH = 40
"""A key has the position within a stretch in so many bits, and in front of them the number of the stretch."""

Keys = NDArray[np.int64]


class Places:
    """Gives each point a key: keys that differ by 1 are of points that follow each other in one stretch.

    Parameters
    ----------
    fitted : Fitted
        A model of series.
    """

    def __init__(self, fitted: Fitted) -> None:
        encoder = fitted.encoder
        self._sampling: Sampling = getattr(encoder, "sampling", Sampling())
        self._width = encoder.layout.window
        self._stamps = Stamps(fitted.schema)
        self._last: dict[int, tuple[float, int]] = {}
        self._stretches = 0

    def of(self, part: Part) -> Keys:
        """Return the keys of a part's points, int64 [n]; parts are given in order."""
        if part.data is not None and part.data.positions is not None and part.before is None and part.after is None:
            positions = part.data.positions  # of all points of the source, which need not be in the order of time
            first = positions.points.first[positions.at]
            return (first.astype(np.int64) << STRETCH) + (positions.at - first)
        return self._followed(part.batch)

    def _followed(self, batch: pa.RecordBatch) -> Keys:
        times, series = self._stamps.read(batch)
        keys = np.empty(len(times), dtype=np.int64)
        for number in np.unique(series):
            rows = np.flatnonzero(series == number)
            before = self._last.get(int(number))
            mine = times[rows] if before is None else np.append(before[0], times[rows])
            same = np.zeros(len(mine), dtype=np.intp)
            steps = 1 + self._sampling.absent(mine, same, self._width)
            begins = self._sampling.begins(mine, same)
            begins[0] = before is None
            start = -1 if before is None else before[1]
            found = self._numbered(steps, begins, start)
            keys[rows] = found if before is None else found[1:]
            self._last[int(number)] = float(mine[-1]), int(found[-1])
        return keys

    def _numbered(self, steps: NDArray[np.intp], begins: NDArray[np.bool_], start: int) -> Keys:
        """Return keys that continue from `start` by steps, and begin anew where a stretch does."""
        new = np.cumsum(begins) - 1
        place = np.cumsum(steps)
        first = np.maximum.accumulate(np.where(begins, np.arange(len(steps)), 0))
        found = ((self._stretches + new).astype(np.int64) << STRETCH) + (place - place[first])
        continued = np.cumsum(begins) == 0
        found[continued] = start + place[continued] - place[0]
        self._stretches += int(begins.sum())
        return found
