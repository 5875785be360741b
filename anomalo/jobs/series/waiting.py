"""Rows of a series that grows, until no point to come can change their scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.jobs.part import Part
from anomalo.jobs.series.surroundings import Stamps, last_points
from anomalo.pipeline.fitted import Fitted


class Waiting:
    """Holds rows back until the last window that has a say on their scores has ended, or cannot begin any more.

    Parameters
    ----------
    fitted : Fitted
        A model of series.
    stamps : Stamps
        Reads the batches.
    strict : bool
        Whether a cell that cannot be read is refused.
    """

    def __init__(self, fitted: Fitted, stamps: Stamps, strict: bool) -> None:
        self._fitted, self._stamps, self._strict = fitted, stamps, strict
        self._width = fitted.encoder.layout.window
        self._held: Part | None = None
        self._before: pa.RecordBatch | None = None

    def __len__(self) -> int:
        return 0 if self._held is None else len(self._held.rows)

    def settled(self, part: Part) -> Part:
        """Add the next rows, and return those, encoded, whose scores are final now, in the order of the source."""
        held = self._held
        rows = part.rows if held is None else np.concatenate([held.rows, part.rows])
        batch = part.batch if held is None else pa.concat_batches([held.batch, part.batch])
        whole = Part(rows, batch, begins=part.begins, before=self._before)
        whole = replace(whole, data=whole.encoded(self._fitted, self._strict))
        final = self._is_final(whole)
        found = whole.take(np.flatnonzero(final))
        self._held = Part(rows[~final], batch.take(pa.array(np.flatnonzero(~final)))) if not final.all() else None
        passed = [found.batch] if self._before is None else [self._before, found.batch]
        self._before = last_points(pa.concat_batches(passed), self._width - 1, self._stamps)
        return found

    def _is_final(self, part: Part) -> NDArray[np.bool_]:
        data = part.data
        assert isinstance(data, Encoded), "the part is encoded"
        positions = data.positions
        assert positions is not None, "points have positions"
        if not positions.averaged:
            return np.ones(len(data), dtype=np.bool_)
        first, end = positions.points.first[positions.at], positions.points.end[positions.at]
        series = np.unique(self._stamps.read(part.batch)[1], return_inverse=True)[1]
        newest = np.zeros(series.max(initial=0) + 1, dtype=np.intp)
        np.maximum.at(newest, series, first)
        return np.asarray((positions.at + self._width <= end) | (first < newest[series]))
