"""Windows of points as models see them, and what they say of windows as what is said of points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from anomalo.encoding.encoded import Encoded, Floats, Layout, Mask
from anomalo.encoding.series.points import Positions
from anomalo.models.results import Cells, Filled

AT_ONCE = 4_000_000
"""So many cells of windows are in memory at a time, at most, when a model answers a verb."""
LEARNED = 32_000_000
"""A fit gets windows with so many cells at most: of more, each second or third, and so on."""

Place = Literal["trailing", "centred"]


def seen_layout(layout: Layout) -> Layout:
    """Return the layout of what models see of rows: of points their windows, [T, C]."""
    return replace(layout, shape=(layout.window, *layout.shape), window=0) if layout.window else layout


def every(data: Encoded) -> int:
    """Return k where a fit gets each k-th row only, since the windows of all would have too many cells; else 1."""
    cells = len(data) * data.layout.window * len(data.layout.blocks)
    return max(1, -(-cells // LEARNED))


def learned(data: Encoded) -> Encoded:
    """Return the rows that a fit gets: all, or each k-th."""
    step = every(data)
    return data if step == 1 else data.take(slice(None, None, step))


def windows(data: Encoded, place: Place = "trailing") -> Encoded:
    """Return the windows of rows that are points, values and observed [n, T, C]; other rows as they are.

    The rows' own cells are those of `data`, whatever the points have: they may have been hidden.
    """
    if data.positions is None:
        return data
    positions = data.positions
    start = positions.trailing if place == "trailing" else positions.centred
    values, observed = positions.windows(start)
    own, seen = _own(data, positions)
    at = np.arange(len(data)), positions.at - start
    other = ((values[at] != own) | (observed[at] != seen)).any(axis=1)
    if other.any():
        values, observed = values.copy(), observed.copy()
        values[at], observed[at] = own, seen
    return Encoded(values, observed, seen_layout(data.layout), data.target)


def _own(data: Encoded, positions: Positions) -> tuple[Floats, Mask]:
    """Return the rows' own cells as a model sees them, [n, C]: on the scale of their series."""
    points, at = positions.points, positions.at
    if points.scales is None:
        return data.values, data.observed
    known = data.values == points.common[at]
    mapped = np.where(data.observed, points.scales.own(data.values, at), data.values)
    return np.where(known & (data.observed == points.observed[at]), points.values[at], mapped), data.observed


def in_parts(data: Encoded) -> Iterator[Encoded]:
    """Yield rows that are points in order, so few at a time that their windows fit into memory; at least one part."""
    size = max(AT_ONCE // max(data.layout.window * len(data.layout.blocks), 1), 1)
    for start in range(0, max(len(data), 1), size):
        yield data.take(slice(start, start + size))


def explained_points(data: Encoded, explain: Callable[[Encoded], Cells]) -> Cells:
    """Return the explanation of points: a channel's contribution is that of its window, what is expected its last."""
    contribution, expected = [], []
    for part in in_parts(data):
        cells = explain(windows(part))
        contribution.append(cells.contribution.sum(axis=1))
        expected.append(_common(part, cells.expected[:, -1]))
    return Cells(np.concatenate(contribution), np.concatenate(expected))


def filled_points(data: Encoded, impute: Callable[[Encoded], Filled]) -> Filled:
    """Return the fills of points, each from the window around it."""
    found = [_filled(part, impute(windows(part, "centred"))) for part in in_parts(data)]

    def joined(name: str, axis: int) -> Floats | None:
        arrays = [getattr(one, name) for one in found]
        return None if arrays[0] is None else np.concatenate(arrays, axis=axis)

    point = joined("point", 0)
    assert point is not None, "every fill has points"
    return Filled(point, joined("draws", 1), {}, joined("low", 0), joined("high", 0))


def _filled(data: Encoded, filled: Filled) -> Filled:
    assert data.positions is not None, "points have positions"
    at = np.arange(len(data)), data.positions.at - data.positions.centred

    def own(array: Floats) -> Floats:
        """Take the rows' own cells of [n, T, C], as they are where they are observed."""
        return np.where(data.observed, data.values, _common(data, array[at])).astype(np.float32)

    draws = None if filled.draws is None else np.stack([own(one) for one in filled.draws])
    low, high = (None if end is None else _common(data, end[at]) for end in (filled.low, filled.high))
    return Filled(own(filled.point), draws, {}, low, high)


def _common(data: Encoded, values: Floats) -> Floats:
    """Return cells [n, C] of the rows on the scale of all series."""
    assert data.positions is not None, "points have positions"
    scales = data.positions.points.scales
    return values if scales is None else scales.common(values, data.positions.at)
