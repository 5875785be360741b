"""Whether the level of a channel moved once, or rose or fell throughout, within the points of a training table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.changes import FEWEST, SMALLEST, Change, Floats, Kind, Numbers, levels_and_widths

SIDE = 3
"""Blocks on either side of a change of level, at least."""
EXPLAINED = 0.8
"""A step, or a straight line, explains at least this share of the variance of the levels of blocks."""
LEAST = 1.0
"""What moved by less than so many deviations of points, a normal's by their interquartile range, does not matter."""
QUARTILES = 1.349
"""The interquartile range of a normal distribution, in deviations."""


def level_moves(values: Numbers, series: NDArray[np.intp], rows: NDArray[np.integer], block: int) -> list[Change]:
    """Return the channels of series whose level moved for good, within their own points.

    What is usual to a model is all that it learned from, and half of a table at another level is half of it. So levels
    of blocks are not compared with usual ones, but with their mean: if a step, with `SIDE` blocks on either side, or a
    straight line leaves only a fifth of their variance, the level moved. A line is reported as a drift.

    Parameters
    ----------
    values : floating [points, channels]
        In the order of time within each series; nan where missing.
    series : intp [points]
        The number of the series of each point.
    rows : integer [points]
        Their rows in the source.
    block : int
        Points of a block.

    Reference: Hinkley (1970), Inference about the change-point in a sequence of random variables, Biometrika 57, for
    the step of least squares.
    """
    found = []
    for each in np.unique(series).tolist():
        mine = np.flatnonzero(series == each)
        blocks = values[mine[: len(mine) // block * block]].reshape(-1, block, values.shape[1])
        if len(blocks) < FEWEST:
            continue
        level, width = levels_and_widths(blocks)
        for channel in range(values.shape[1]):
            known = np.flatnonzero(~np.isnan(level[:, channel]))
            if len(known) >= FEWEST:
                usual = float(np.nanmedian(width[known, channel])) / QUARTILES
                if (moved := _move(level[known, channel], usual)) is not None:
                    kind, at, before, after, size = moved
                    row = int(rows[mine[known[at] * block]])
                    found.append(Change(each, channel, kind, row, None, before, after, size))
    return found


def _move(level: Floats, usual: float) -> tuple[Kind, int, float, float, float] | None:
    """Return kind, first block, level before and after, and size in deviations of blocks from it; None if none moved.

    Examples
    --------
    >>> _move(np.array([1.0, 2, 1, 2, 1, 8, 9, 8, 9, 8]), 1.0)[:4]
    ('level', 5, 1.4, 8.4)
    >>> _move(np.arange(10.0), 1.0)[:4]
    ('drift', 0, 0.0, 9.0)
    """
    count, away = len(level), level - level.mean()
    total = float(away @ away)
    if total <= 0:
        return None
    at = np.arange(SIDE, count - SIDE + 1)
    step = np.cumsum(away)[at - 1] ** 2 * count / (at * (count - at))
    middle = np.arange(count) - (count - 1) / 2
    slope = float(middle @ away) / float(middle @ middle)
    line = slope * float(middle @ away)
    if line >= step.max():
        ends = level.mean() + slope * middle
        kind, first, before, after, explained = "drift", 0, ends[0], ends[-1], line
    else:
        first, explained = int(at[step.argmax()]), step.max()
        kind, before, after = "level", level[:first].mean(), level[first:].mean()
    if explained < EXPLAINED * total or abs(after - before) <= LEAST * usual:
        return None
    deviation = max(np.sqrt(max(total - explained, 0.0) / (count - 2)), SMALLEST * usual, 1e-9 * (1 + abs(before)))
    return kind, first, float(before), float(after), float((after - before) / deviation)  # type: ignore[return-value]
