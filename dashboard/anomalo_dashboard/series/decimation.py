"""The points of a line that are drawn where there are too many: least and greatest of each stretch, and gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]
Times = NDArray[np.float64]
Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Drawn:
    """What is drawn of a line.

    Attributes
    ----------
    at : intp [k]
        The positions of the points, ascending; a spike of one point is among them.
    piece : intp [k]
        Which unbroken piece of the line each is of.
    gaps : float64 [gaps, 2]
        From when to when nothing was observed, as far as it can be seen.
    """

    at: Positions
    piece: Positions
    gaps: Times


def drawn(time: Times, value: Numbers, slot: NDArray[np.int64], most: int) -> Drawn:
    """Choose the points of a line that are drawn.

    All of them, if they are few. Else the observed points are parted into stretches of equal numbers, of which the
    first least and the first greatest value are drawn, and the ends of each gap that is as long as a stretch is on
    average: there are no more of those than stretches.

    Parameters
    ----------
    time, value, slot : [n]
        Ascending times, values that are nan where missing, and slots: see `Timeline`.
    most : int
        Points, at most; at least 8.
    """
    seen = np.flatnonzero(~np.isnan(value))
    if not len(seen):
        return Drawn(seen, seen, np.zeros((0, 2)))
    whole = np.arange(len(seen))
    broken = np.diff(slot[seen]) != 1
    if len(seen) > most:
        stretches = most // 4
        whole = _extremes(value[seen], stretches)
        broken &= np.diff(time[seen]) >= max((time[-1] - time[0]) / stretches, np.finfo(np.float64).tiny)
        ends = np.flatnonzero(broken)
        whole = np.union1d(whole, np.concatenate([ends, ends + 1]))
    piece = np.concatenate([[0], np.cumsum(broken)])
    ends = np.flatnonzero(broken)
    gaps = np.stack([time[seen[ends]], time[seen[ends + 1]]], axis=1)
    return Drawn(seen[whole], piece[whole], gaps)


def _extremes(value: Numbers, stretches: int) -> Positions:
    """Return the positions of the first least and first greatest value of each stretch, ascending."""
    starts = np.arange(stretches) * len(value) // stretches
    which = np.repeat(np.arange(stretches), np.diff(np.append(starts, len(value))))
    found = []
    for extreme in (np.minimum.reduceat(value, starts), np.maximum.reduceat(value, starts)):
        hits = np.flatnonzero(value == extreme[which])
        found.append(hits[np.unique(which[hits], return_index=True)[1]])
    return np.union1d(*found)


@dataclass(frozen=True)
class Stays:
    """When a category was at its levels: the first and the last position of each stay, and the level; each [k]."""

    first: Positions
    last: Positions
    level: Positions


def stays(level: NDArray[np.integer], slot: NDArray[np.int64], most: int) -> Stays:
    """Return at which positions each level is, by level and then in their order.

    Where there would be too many stays, stretches of points are taken together, and a level is said to stay through all
    stretches in a row in which it occurs: so levels may overlap, but none that occurs is left out.

    Parameters
    ----------
    level : integer [n]
        A number from 0, -1 where it is missing.
    slot : int64 [n]
        Points whose slots do not differ by 1 have a gap between them, which ends a stay where no points are taken
        together.
    most : int
        Stays, at most; at least the number of levels.
    """
    position = np.flatnonzero(level >= 0)
    size = 1
    while True:
        cell = position // size if size > 1 else slot[position]
        order = np.lexsort((cell, level[position]))
        which, cells = level[position][order], cell[order]
        new = (np.diff(which, prepend=-1) != 0) | (np.diff(cells, prepend=cells[:1]) > 1)
        new[:1] = True
        starts = np.flatnonzero(new)
        if len(starts) <= most or size >= len(level):
            ends = np.append(starts[1:], len(which)) - 1
            return Stays(position[order[starts]], position[order[ends[: len(starts)]]], which[starts].astype(np.intp))
        size *= 2


def band(position: Positions, low: Times, high: Times, middle: Times, total: int, most: int) -> NDArray[np.float64]:
    """Return what is drawn of a band, [k, 5]: position, least low, greatest high, mean middle and piece.

    Parameters
    ----------
    position : intp [m]
        Those of the points that have one, ascending, among `total` points.
    most : int
        Points, at most.
    """
    if not len(position):
        return np.zeros((0, 5))
    cell = position if total <= most else position * most // total
    starts = np.flatnonzero(np.diff(cell, prepend=-2) > 0)
    piece = np.cumsum(np.diff(cell[starts], prepend=cell[0] - 1) > 1)
    counts = np.diff(np.append(starts, len(cell)))
    return np.stack(
        [
            position[starts].astype(np.float64),
            np.minimum.reduceat(low, starts),
            np.maximum.reduceat(high, starts),
            np.add.reduceat(middle, starts) / counts,
            piece.astype(np.float64),
        ],
        axis=1,
    )
