"""Windows of points as models see them, and what they say of windows as what is said of points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Floats, Mask, Scores
from anomalo.encoding.layout import Layout
from anomalo.encoding.series.points import Positions
from anomalo.models.results import Cells, Filled

AT_ONCE = 4_000_000
"""So many cells of windows are in memory at a time, at most, when a model answers a verb."""
LEARNED = 32_000_000
"""A fit gets windows with so many cells at most: of more, each second or third, and so on."""

Indices = NDArray[np.intp]
Alignment = Literal["trailing", "centred"]


def seen_layout(layout: Layout) -> Layout:
    """Return the layout of what models see of rows: of points their windows, [T, C]."""
    return replace(layout, shape=(layout.window, *layout.shape), window=0, averaged=False) if layout.window else layout


def every(data: Encoded) -> int:
    """Return k where a fit gets each k-th row only, since the windows of all would have too many cells; else 1."""
    cells = len(data) * data.layout.window * len(data.layout.blocks)
    return max(1, -(-cells // LEARNED))


def learned(data: Encoded) -> Encoded:
    """Return the rows that a fit gets: all, or each k-th."""
    step = every(data)
    return data if step == 1 else data.take(slice(None, None, step))


def windows(data: Encoded, place: Alignment = "trailing") -> Encoded:
    """Return the windows of rows that are points, values and observed [n, T, C]; other rows as they are.

    The rows' own cells are those of `data`, whatever the points have: they may have been hidden.
    """
    if data.positions is None:
        return data
    positions = data.positions
    return _windows(data, positions.trailing if place == "trailing" else positions.centred)


def _windows(data: Encoded, start: Indices) -> Encoded:
    """Return the windows of rows that begin at `start` [n]."""
    positions = _positions(data)
    values, observed, season = positions.windows(start)
    other = _is_other(data)
    if other.any():
        values, observed = values.copy(), observed.copy()
        rows = np.flatnonzero(other)
        at = rows, (positions.at - start)[rows]
        values[at], observed[at] = _own(data)[rows], data.observed[rows]
    return Encoded(values, observed, seen_layout(data.layout), data.target, season=season)


def _is_other(data: Encoded) -> Mask:
    """Return which rows are not as the points are that they stand for, bool [n]: cells were hidden, or filled."""
    positions = _positions(data)
    points, at = positions.points, positions.at
    seen = data.as_models_see()
    return np.asarray(((seen.values != points.common[at]) | (data.observed != points.observed[at])).any(axis=1))


def _own(data: Encoded) -> Floats:
    """Return the rows' own cells as a model sees them, [n, C]: on the scale of their series."""
    positions, seen = _positions(data), data.as_models_see()
    points, at = positions.points, positions.at
    if points.scales is None:
        return seen.values
    mapped = np.where(data.observed, points.scales.to_series(seen.values, at), seen.values)
    return np.where(seen.values == points.common[at], points.values[at], mapped).astype(np.float32)


def in_parts(data: Encoded) -> Iterator[Encoded]:
    """Yield rows that are points in order, so few at a time that their windows fit into memory; at least one part."""
    size = max(AT_ONCE // max(data.layout.window * len(data.layout.blocks), 1), 1)
    for start in range(0, max(len(data), 1), size):
        yield data.take(slice(start, start + size))


def scored_points(data: Encoded, score: Callable[[Encoded], Scores], power: float = 1.0) -> Scores:
    """Return the scores of points [n]: of the windows that end there, or the mean of those that contain them.

    Parameters
    ----------
    power : float
        The scores of windows are powers, and the root is taken of their mean: it changes no order, and is readable.
    """
    found = np.zeros(len(data))
    for reach in _reaches(data):
        found[reach.rows] = reach.mean(score(reach.windows))
    return _root(found, power)


def explained_points(data: Encoded, explain: Callable[[Encoded], Cells], power: float = 1.0) -> Cells:
    """Return the explanation of points, whose contributions sum to their scores as those of windows do.

    What is expected of a point is the mean of what is expected of it in the windows that have a say.
    """
    contribution, expected = np.zeros(data.values.shape), np.zeros(data.values.shape, dtype=np.float32)
    for reach in _reaches(data):
        cells = explain(reach.windows)
        contribution[reach.rows] = reach.mean(cells.contribution.sum(axis=1))
        expected[reach.rows] = _common(data.take(reach.rows), reach.expected(cells.expected))
    total = contribution.sum(axis=1)
    share = np.divide(_root(total, power), total, out=np.ones(len(total)), where=total > 0)
    return Cells(contribution * share[:, None], expected)


def _root(scores: Scores, power: float) -> Scores:
    return scores if power == 1 else np.asarray(np.maximum(scores, 0) ** (1 / power))


@dataclass(frozen=True)
class _Reach:
    """Some rows, and the windows that have a say on them.

    Attributes
    ----------
    rows : intp [n]
        Their numbers.
    windows : Encoded [m]
    first : intp [n]
        The first window with a say on each row, which ends there.
    count : int
        How many have one: the first, and those that follow it.
    """

    rows: Indices
    windows: Encoded
    first: Indices
    count: int

    def mean(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each row the mean of what was found of its windows, [m] or [m, C]."""
        total = np.zeros((len(self.rows), *found.shape[1:]))
        for later in range(self.count):
            total += found[self.first + later]
        return np.asarray(total / self.count)

    def expected(self, cells: Floats) -> Floats:
        """Return for each row the mean of its own cells in its windows [m, T, C]; codes, which have none, of one."""
        last, codes = cells[self.first, -1], self.windows.layout.categories
        total = np.zeros(last.shape)
        for later in range(self.count):
            total += cells[self.first + later, -1 - later]
        mean = (total / self.count).astype(np.float32)
        mean[:, codes] = last[:, codes]
        return mean


def _reaches(data: Encoded) -> Iterator[_Reach]:
    """Yield rows in parts, with the windows that have a say on them; at least one part.

    Rows that follow each other share windows, but for those whose cells are not as the points have them.
    """
    averaged, width = _positions(data).averaged, data.layout.window
    other = _is_other(data) if averaged else np.zeros(len(data), dtype=np.bool_)
    size = max(AT_ONCE // max(width * len(data.layout.blocks), 1), 1)
    if not other.all() or not len(data):
        rows = np.flatnonzero(~other)
        for some in _split(rows, _windows_added(data, rows), size):
            if averaged:
                yield _shared(data, some)
            else:
                yield _Reach(some, windows(data.take(some)), np.arange(len(some)), 1)
    if other.any():
        rows = np.flatnonzero(other)
        for some in _split(rows, np.full(len(rows), width), size):
            later = np.tile(np.arange(width), len(some))
            each = data.take(np.repeat(some, width))
            start = _positions(each).trailing + later
            yield _Reach(some, _windows(each, start), np.arange(len(some)) * width, width)


def _windows_added(data: Encoded, rows: Indices) -> Indices:
    """Return how many windows each row adds to those of the rows before it, at most all of its own, intp [n]."""
    positions = _positions(data).take(rows)
    if not positions.averaged:
        return np.ones(len(rows), dtype=np.intp)
    steps = np.diff(positions.at, prepend=-positions.width)
    same = np.diff(positions.points.first[positions.at], prepend=-1) == 0
    return np.where(same & (steps > 0), np.minimum(steps, positions.width), positions.width)


def _shared(data: Encoded, rows: Indices) -> _Reach:
    """Return rows with all windows that contain them.

    Of the last points of a stretch some reach beyond its end, as some of the first ones reach beyond its beginning:
    what is outside is not observed. So each point's score is the mean of equally many windows. A mean of those inside
    would be of few windows at the end, and high more often by chance.
    """
    positions = _positions(data).take(rows)
    later = positions.width - 1
    begins, stretch = np.unique(positions.points.first[positions.at], return_inverse=True)
    # Windows of different stretches get different numbers, those too that end in no point.
    ending = positions.at + stretch * later
    numbers = np.unique(ending[:, None] + np.arange(positions.width))
    stretch = np.searchsorted(begins + np.arange(len(begins)) * later, numbers, side="right") - 1
    end = numbers - stretch * later
    points = positions.points
    inside = replace(positions, at=np.minimum(end, points.end[begins[stretch]] - 1))
    values, observed, season = inside.windows(end - later)
    seen = Encoded(values, observed, seen_layout(data.layout), season=season)
    return _Reach(rows, seen, np.searchsorted(numbers, ending), positions.width)


def _split(rows: Indices, windows: Indices, size: int) -> Iterator[Indices]:
    """Yield rows in parts with about `size` windows each, given how many each adds; at least one part."""
    part = (np.cumsum(windows) - windows) // size
    yield from np.split(rows, np.flatnonzero(np.diff(part)) + 1)


def _positions(data: Encoded) -> Positions:
    assert data.positions is not None, "points have positions"
    return data.positions


def filled_points(data: Encoded, impute: Callable[[Encoded], Filled]) -> Filled:
    """Return the fills of points, each from the window around it; the windows of complete points are not looked at."""
    rows = np.flatnonzero(~data.observed.all(axis=1))
    rows = rows if len(rows) else np.arange(min(len(data), 1))  # whether a model gives draws shows in any window
    found = [_filled(part, impute(windows(part, "centred"))) for part in in_parts(data.take(rows))]
    known = data.values.astype(np.float32)
    ends = known.copy()
    ends[:, data.layout.categories] = np.nan

    def joined(name: str, otherwise: Floats) -> Floats | None:
        arrays = [getattr(one, name) for one in found]
        if arrays[0] is None:
            return None
        cells = np.concatenate(arrays, axis=-2)
        every = np.broadcast_to(otherwise, (*cells.shape[:-2], *otherwise.shape)).copy()
        every[..., rows, :] = cells
        return every

    point = joined("point", known)
    assert point is not None, "every fill has points"
    return Filled(point, joined("draws", known), {}, joined("low", ends), joined("high", ends))


def _filled(data: Encoded, filled: Filled) -> Filled:
    positions = _positions(data)
    at = np.arange(len(data)), positions.at - positions.centred

    def of_rows(array: Floats) -> Floats:
        """Take the rows' own cells of [n, T, C], as they are where they are observed."""
        return np.where(data.observed, data.values, _common(data, array[at])).astype(np.float32)

    draws = None if filled.draws is None else np.stack([of_rows(one) for one in filled.draws])
    low, high = (None if end is None else _common(data, end[at]) for end in (filled.low, filled.high))
    return Filled(of_rows(filled.point), draws, {}, low, high)


def _common(data: Encoded, values: Floats) -> Floats:
    """Return cells [n, C] of the rows on the scale of all series."""
    positions = _positions(data)
    scales = positions.points.scales
    return values if scales is None else scales.to_common(values, positions.at)
