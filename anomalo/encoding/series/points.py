"""The points of series, and where the rows of a batch stand among them: windows are taken from here, not stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.row_hashes import row_hashes
from anomalo.encoding.series.scales import Scales
from anomalo.encoding.series.season import UNKNOWN, Phases

Numbers = NDArray[np.float32]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Points:
    """The points of one or more series, one series after the other, each in the order of time.

    Attributes
    ----------
    values : float32 [points, channels]
        As models see them: numbers of a series on its own scale.
    observed : bool [points, channels]
    first : intp [points]
        Where the stretch of each point begins: no window reaches further back.
    common : float32 [points, channels]
        The same on the scale of all series together, as `Encoded.values` have them; the same array where no series
        has a scale of its own.
    scales : Scales or None
        Those of the series; None where none has its own.
    entity : str
        The column that names the series; empty if there is one only.
    is_new : bool [points]
        Whether the point's series was not in training.
    season : int8 [points] or None
        The phase of each point in a cycle of the calendar, see `season`; None if its time is a number.
    """

    values: Numbers
    observed: Mask
    first: Indices
    common: Numbers
    scales: Scales | None = None
    entity: str = ""
    is_new: Mask | None = None
    season: Phases | None = None

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def end(self) -> Indices:
        """Where the stretch of each point ends, [points]."""
        return np.asarray(np.searchsorted(self.first, self.first, side="right"), dtype=np.intp)

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """A hash of each point, uint64 [points]."""
        return row_hashes(self.values, self.observed, None, None)

    @classmethod
    def concatenate(cls, parts: Sequence[Points]) -> Points:
        """Stack points, each part's stretches apart from those of the others."""
        before = np.cumsum([0, *map(len, parts)])
        values, observed, common = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "observed", "common")
        )
        first = np.concatenate([part.first + start for part, start in zip(parts, before, strict=False)])
        scales = [part.scales for part in parts if part.scales is not None]
        is_new = [part.is_new for part in parts if part.is_new is not None]
        seasons = [part.season for part in parts if part.season is not None]
        return cls(
            values,
            observed,
            first,
            common,
            Scales.concatenate(scales) if scales else None,
            parts[0].entity,
            np.concatenate(is_new) if is_new else None,
            np.concatenate(seasons) if len(seasons) == len(parts) else None,
        )


@dataclass(frozen=True)
class Positions:
    """Where rows stand among points.

    Attributes
    ----------
    points : Points
        Those of the rows, and others before and after them.
    at : intp [n]
        The point of each row.
    width : int
        Points of a window.
    averaged : bool
        Whether the score of a row is the mean of the windows with it; else it is that of the window that ends there.
    """

    points: Points
    at: Indices
    width: int
    averaged: bool = False

    def take(self, rows: NDArray[Any] | slice) -> Self:
        """Return the positions of some rows."""
        return replace(self, at=self.at[rows])

    @staticmethod
    def concatenate(parts: Sequence[Positions]) -> Positions:
        """Return the positions of the rows of several batches, one after the other."""
        same = all(part.points is parts[0].points for part in parts)
        points = parts[0].points if same else Points.concatenate([part.points for part in parts])
        before = np.cumsum([0, *(0 if same else len(part.points) for part in parts)])
        at = np.concatenate([part.at + start for part, start in zip(parts, before, strict=False)])
        return Positions(points, at, parts[0].width, parts[0].averaged)

    @property
    def last_end(self) -> Indices:
        """Where the last window ends that has a say on the score of each row, [n]."""
        if not self.averaged:
            return self.at
        return np.minimum(self.at + (self.width - 1), self.points.end[self.at] - 1)

    @property
    def new_series(self) -> dict[str, int]:
        """How many rows are of series that were not in training, by the column that names them; empty if none is."""
        is_new = self.points.is_new
        count = 0 if is_new is None else int(is_new[self.at].sum())
        return {self.points.entity: count} if count else {}

    @property
    def trailing(self) -> Indices:
        """Where the window begins that ends at each row, [n]; it may reach over the beginning of the stretch."""
        return self.at - (self.width - 1)

    @property
    def centred(self) -> Indices:
        """Where the window begins that has each row in its middle, [n]; moved inside of the stretch where it can be."""
        points, start = self.points, self.at - self.width // 2
        start = np.minimum(start, points.end[self.at] - self.width)
        return np.maximum(start, np.minimum(points.first[self.at], self.at))

    def windows(self, start: Indices) -> tuple[Numbers, Mask, Phases | None]:
        """Return windows, float32 and bool [n, width, channels], and their points' phases, int8 [n, width].

        They are views where windows follow each other in one stretch.

        Parameters
        ----------
        start : intp [n]
            Where each begins. What is outside of the stretch of its row is not observed, and has no phase.
        """
        first, end = self.points.first[self.at], self.points.end[self.at]
        if len(start) and first[0] == first[-1] and (np.diff(start) == 1).all():
            return self._view(int(start[0]), int(first[0]), int(end[0]), len(start))
        index = start[:, None] + np.arange(self.width)
        inside = (index >= first[:, None]) & (index < end[:, None])
        index, points = np.where(inside, index, self.at[:, None]), self.points
        season = None if points.season is None else np.where(inside, points.season[index], np.int8(UNKNOWN))
        inside = inside[:, :, None]
        return np.where(inside, points.values[index], np.float32(0)), points.observed[index] & inside, season

    def _view(self, start: int, first: int, end: int, count: int) -> tuple[Numbers, Mask, Phases | None]:
        """Return so many windows that begin one after the other, as views into points or a copy of some."""
        stop = start + count + self.width - 1
        inner = slice(max(start, first), min(stop, end))
        pads = inner.start - start, stop - inner.stop

        def view(array: NDArray[Any], outside: int = 0) -> NDArray[Any]:
            around = [pads, *[(0, 0)] * (array.ndim - 1)]
            padded = np.pad(array[inner], around, constant_values=outside) if any(pads) else array[inner]
            return np.moveaxis(np.lib.stride_tricks.sliding_window_view(padded, self.width, axis=0), -1, 1)

        points = self.points
        season = None if points.season is None else view(points.season, UNKNOWN)
        return view(points.values), view(points.observed), season

    def hashes(self, of_rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return a hash of all points that decide on the score of each row, uint64 [n], given those of the rows."""
        keys = np.random.Generator(np.random.Philox(1)).integers(1, 2**64, size=2 * self.width, dtype=np.uint64)
        total, first, last = of_rows * keys[0], self.points.first[self.at], self.last_end
        for away in [*range(1 - self.width, 0), *range(1, self.width if self.averaged else 1)]:
            at = self.at + away
            inside = (at >= first) & (at <= last)
            total = total + np.where(inside, self.points.hashes[np.where(inside, at, 0)], np.uint64(0)) * keys[away]
        return np.asarray(total ^ (total >> np.uint64(32)))
