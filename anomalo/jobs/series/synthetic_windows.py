"""Synthetic windows of a fitted model of series, point by point as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.encoding.series_encoder import SeriesEncoder
from anomalo.errors import UsageError
from anomalo.generators.constraints import Constraint, broken, enforce
from anomalo.models.run import LocalRun
from anomalo.models.series.view import AT_ONCE, seen_layout
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.generator import Indices, drawn_again
from anomalo.tabular.column import TEXT, write_notes
from anomalo.tabular.formatting import arrow_type

FRONT = "window", "step"
"""The columns in front: the number of the window, and of the point within it."""


@dataclass
class WindowGenerator:
    """Draws windows from a fitted model of series.

    A window is drawn on the scale of a series; where series have names, it gets those of a random one of training.

    Parameters
    ----------
    fitted : Fitted
        Its model samples.
    constraints : sequence of Constraint
        What every point has to satisfy.
    seed : int
        Equal seeds give equal windows, and the first ones do not depend on how many follow.
    device : str
        Where the model works.

    Attributes
    ----------
    drawn, redrawn, repaired : int
        How many windows were drawn so far; of them, how many broke a constraint at first, and how many still did after
        `REDRAWS` draws, so that cells were changed.

    Raises
    ------
    UsageError
        The rows of the model are no points of a series.
    """

    fitted: Fitted
    constraints: Sequence[Constraint] = ()
    seed: int = 0
    device: str = "cpu"
    drawn: int = field(default=0, init=False)
    redrawn: int = field(default=0, init=False)
    repaired: int = field(default=0, init=False)
    _chunk: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        encoder = self.fitted.encoder
        if not isinstance(encoder, SeriesEncoder):
            raise UsageError(f"windows of modality {encoder.modality!r} cannot be drawn; expected a model of a series")
        self._encoder = encoder
        self._layout = seen_layout(encoder.layout)

    @property
    def schema(self) -> pa.Schema:
        """The columns: window and step, the one that names the series, and the channels."""
        schema = self.fitted.schema
        columns = {column.name: arrow_type(column.storage) for column in schema.features}
        taken = {*columns, schema.entity}
        front = {_free(name, taken): pa.int64() for name in FRONT}
        if schema.entity is not None:
            front[schema.entity] = pa.string()
        found = pa.schema(list((front | columns).items()))
        return write_notes(found, {"text": True}) if self.is_text else found

    @property
    def is_text(self) -> bool:
        """Whether the training table was a text file."""
        return all(column.storage == TEXT for column in self.fitted.schema.features)

    @property
    def length(self) -> int:
        """Points of a window."""
        return self._layout.shape[0]

    def batches(self, windows: int) -> Iterator[pa.RecordBatch]:
        """Yield the points of so many windows, one window after the other."""
        at_once = max(1, AT_ONCE // max(int(np.prod(self._layout.shape)), 1))
        while self.drawn < windows:
            yield self._drawn(min(at_once, windows - self.drawn))

    def _drawn(self, count: int) -> pa.RecordBatch:
        keys = np.random.SeedSequence([self.seed, self._chunk]).generate_state(2)
        run = LocalRun(seed=int(keys[0]), device=self.device)
        series = np.random.default_rng(int(keys[1])).integers(0, max(len(self._encoder.series), 1), count)
        cells = self._cells(series, run)
        if self.constraints:
            self._constrain(cells, series, run)
        first = self.drawn
        self.drawn, self._chunk = self.drawn + count, self._chunk + 1
        points = self._encoder.write(cells.reshape(-1, cells.shape[2]), run.rng)
        return self._whole(points, first + np.arange(count), series)

    def _cells(self, series: Indices, run: LocalRun) -> Scores:
        """Return new windows in original units, float64 [n, T, C]."""
        shape = (len(series), *self._layout.shape)
        nothing = Encoded(np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.bool_), self._layout)
        found = self.fitted.sample(nothing, run)
        points, seen = found.values.reshape(-1, shape[2]), found.observed.reshape(-1, shape[2])
        common = self._encoder.to_common(points, np.repeat(series, shape[1]))
        return self._encoder.to_original_units(Encoded(common, seen, self._encoder.layout)).reshape(shape)

    def _constrain(self, cells: Scores, series: Indices, run: LocalRun) -> None:
        """Draw windows with a point that breaks a constraint again, and change the points of those that still do."""

        def draw(windows: Indices) -> None:
            cells[windows] = self._cells(series[windows], run)

        def bad(windows: Indices) -> Mask:
            points = broken(cells[windows].reshape(-1, cells.shape[2]), self.constraints)
            return np.asarray(points.reshape(len(windows), -1).any(axis=1))

        redrawn, left = drawn_again(np.arange(len(cells)), bad, draw)
        self.redrawn += redrawn
        self.repaired += len(left)
        if not len(left):
            return
        points = cells[left].reshape(-1, cells.shape[2])
        enforce(points, self.constraints, np.ones(points.shape, dtype=np.bool_), self._encoder.clip_to_domain, run.rng)
        cells[left] = points.reshape(-1, *cells.shape[1:])

    def _whole(self, points: pa.RecordBatch, numbers: Indices, series: Indices) -> Any:
        width, schema = self._layout.shape[0], self.schema
        front: list[Any] = [np.repeat(numbers, width), np.tile(np.arange(width), len(numbers))]
        if self.fitted.schema.entity is not None:
            front.append(np.array(list(self._encoder.series), dtype=object)[np.repeat(series, width)])
        arrays = [pa.array(one) for one in front] + points.columns
        return pa.RecordBatch.from_arrays(arrays, names=schema.names).cast(schema.remove_metadata())


def _free(name: str, taken: set[str | None]) -> str:
    """Return a name that no other column has.

    Examples
    --------
    >>> _free("step", {"flow"}), _free("step", {"step"})
    ('step', 'step_')
    """
    while name in taken:
        name += "_"
    return name
