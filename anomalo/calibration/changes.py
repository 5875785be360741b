"""Changes of series: when the level or the scale of a channel left what it usually is and stayed away, or drifts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Kind = Literal["level", "drift", "scale"]

SHORTEST, FEWEST = 32, 10
"""A block has at least so many points, and the usual blocks of a series are known from so many."""
ALLOWANCE, LIMIT, CAP = 1.0, 6.0, 3.0
"""Of the sums, in usual deviations of blocks: half of the shift that is found, the limit, and the most of one block."""
SMALLEST = 0.1
"""The deviation of blocks is at least this part of that of points: smaller shifts do not matter."""
TREND, BLOCKS = 4.0, 6
"""A level drifts if the slope of so many blocks is this many standard errors from 0."""
WIDER = 10.0
"""By so many, divided by the number of usual blocks, their variance is taken as larger: it is known from few."""
CONSTANT = 1e-9
"""The least deviation, relative to the level."""


def block_length(window: int) -> int:
    """Return the points of a block: whole windows, so that a season is not a change.

    Examples
    --------
    >>> block_length(24), block_length(100)
    (48, 100)
    """
    return -(-SHORTEST // window) * window


@dataclass(frozen=True)
class UsualBlocks:
    """What blocks of points of each training series are like.

    Attributes
    ----------
    block : int64 [1]
        Points of a block.
    centre : float64 [series, 2, channels]
        The median level of blocks, and that of the logarithm of their interquartile range.
    deviation : float64 [series, 2, channels]
        By how much they vary; nan where there are too few blocks.
    width : float64 [series, channels]
        The median interquartile range.
    """

    block: Indices
    centre: Floats
    deviation: Floats
    width: Floats

    @classmethod
    def of(cls, values: Numbers, series: NDArray[np.intp], count: int, block: int) -> Self:
        """Learn from the points of `count` training series, in the order of time.

        Parameters
        ----------
        values : floating [points, channels]
            nan where missing.
        series : intp [points]
            The number of the series of each point.
        """
        channels = values.shape[1]
        centre, deviation = np.zeros((count, 2, channels)), np.full((count, 2, channels), np.nan)
        widths = np.zeros((count, channels))
        for each in range(count):
            mine = values[series == each]
            blocks = mine[: len(mine) // block * block].reshape(-1, block, channels)
            if len(blocks) >= FEWEST:
                level, width = levels_and_widths(blocks)
                widths[each] = _median(width)
                both = np.stack([level, _log(width, widths[each])], axis=1)
                centre[each] = _median(both)
                deviation[each] = _deviation(both, centre[each], widths[each])
        return cls(np.array([block]), centre, deviation, widths)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restored` takes."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Return what `arrays` was made of."""
        return cls(**{each.name: arrays[each.name] for each in fields(cls)})


@dataclass(frozen=True)
class Change:
    """A channel of a series that left what it usually is.

    Attributes
    ----------
    series, channel : int
        Which.
    kind : {"level", "drift", "scale"}
    start_row : int
        The first row of the block in which it began.
    end_row : int or None
        The last row before it was as usual again; None if it never was.
    before, after : float
        The usual level, or interquartile range, and the one since then; of a drift the last one.
    size : float
        How far the blocks are from the usual ones, in their deviations.
    """

    series: int
    channel: int
    kind: Kind
    start_row: int
    end_row: int | None
    before: float
    after: float
    size: float


class ChangeMonitor:
    """Looks for changes in series as their points come; what is kept does not grow with their number.

    Levels and logarithms of interquartile ranges of blocks go into two-sided cumulative sums. One block counts for at
    most `CAP` deviations, so that an anomaly that is shorter than three blocks makes no change. A change begins where
    the sum left 0 for the last time, and ends where a sum of the opposite evidence did.

    Parameters
    ----------
    usual : UsualBlocks
        What is compared with.

    References
    ----------
    Page (1954). Continuous inspection schemes. Biometrika 41. Lucas and Crosier (1982). Robust CUSUM: a robustness
    study for CUSUM quality control schemes. Communications in Statistics 11.
    """

    def __init__(self, usual: UsualBlocks) -> None:
        self._usual, self._block = usual, int(usual.block[0])
        self._left: dict[int, tuple[Numbers, Indices]] = {}
        self._sums: dict[int, _Sums] = {}
        self._ended: list[Change] = []

    def see(self, series: int, values: Numbers, rows: Indices) -> None:
        """Add the next points of a series, in the order of time.

        Parameters
        ----------
        values : floating [n, channels]
            nan where missing.
        rows : int64 [n]
            Their rows in the source.
        """
        if series >= len(self._usual.centre) or np.isnan(self._usual.deviation[series]).all():
            return
        if series in self._left:
            before = self._left[series]
            values, rows = np.concatenate([before[0], values]), np.concatenate([before[1], rows])
        whole = len(values) // self._block * self._block
        self._left[series] = values[whole:].copy(), rows[whole:].copy()
        if whole:
            sums = self._sums.setdefault(series, _Sums(self._usual, series))
            self._ended += sums.add(
                values[:whole].reshape(-1, self._block, values.shape[1]), rows[: whole : self._block]
            )

    def changes(self) -> list[Change]:
        """Return all changes so far, in the order of their first rows."""
        lasting = [change for sums in self._sums.values() for change in sums.lasting()]
        return sorted([*self._ended, *lasting], key=lambda change: (change.start_row, change.channel, change.kind))

    def open_rows(self) -> set[int]:
        """Return the rows where what may be a change, or is one that is not over, began, and unfinished blocks do."""
        unfinished = {int(rows[0]) for _, rows in self._left.values() if len(rows)}
        return unfinished.union(*(sums.open_rows() for sums in self._sums.values()))


@dataclass
class _Sums:
    """The cumulative sums of one series, upwards and downwards: [2, statistics, channels]."""

    usual: UsualBlocks
    series: int
    size: Floats = field(init=False)
    back: Floats = field(init=False)
    changed: NDArray[np.bool_] = field(init=False)
    begins: Indices = field(init=False)
    ends: Indices = field(init=False)
    moments: Floats = field(init=False)
    """Of the blocks since the sum left 0: their number, and sums of i, z, i z, i i and z z."""

    def __post_init__(self) -> None:
        shape = (2, *self.usual.centre.shape[1:])
        self.size, self.back, self.changed = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.bool_)
        self.begins, self.ends = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        self.moments = np.zeros((6, *shape))

    def add(self, blocks: Numbers, rows: Indices) -> Iterator[Change]:
        """Add blocks [k, points, channels] with their first rows [k], and return the changes that end."""
        level, width = levels_and_widths(blocks)
        both = np.stack([level, _log(width, self.usual.width[self.series])], axis=1)
        distances = (both - self.usual.centre[self.series]) / self.usual.deviation[self.series]
        ended: list[Change] = []
        for distance, row in zip(np.nan_to_num(distances, posinf=1e6, neginf=-1e6), rows.tolist(), strict=True):
            ended += self._next(np.stack([distance, -distance]), row)
        return iter(ended)

    def _next(self, distance: Floats, row: int) -> list[Change]:
        capped = np.clip(distance, -CAP, CAP)
        new = (self.size == 0) & (capped > ALLOWANCE)
        self.size = np.maximum(self.size + capped - ALLOWANCE, 0)
        self.begins[new] = row
        self.moments[:, new] = 0
        number = self.moments[0] + 1
        seen = np.stack([np.ones_like(distance), number, distance, number * distance, number**2, distance**2])
        self.moments += np.where(self.changed & ((self.back > 0) | (capped < ALLOWANCE)), 0, seen)
        returning = self.changed & (self.back == 0) & (capped < ALLOWANCE)
        self.ends[returning] = row - 1
        self.back = np.where(self.changed, np.maximum(self.back + ALLOWANCE - capped, 0), 0)
        over = self.changed & (self.back > LIMIT)
        found = [self._change(at, int(self.ends[tuple(at)])) for at in np.argwhere(over)]
        self.changed = (self.changed & ~over) | (self.size > LIMIT) & ~over
        self.size[over] = self.back[over] = 0
        self.size = np.where(self.changed, np.maximum(self.size, LIMIT), self.size)
        return found

    def open_rows(self) -> set[int]:
        """Return where what may be a change, or is one that is not over, began."""
        return set(self.begins[(self.size > 0) | self.changed].tolist())

    def lasting(self) -> list[Change]:
        """Return the changes that have not ended."""
        return [self._change(at, None) for at in np.argwhere(self.changed)]

    def _change(self, at: NDArray[np.intp], end: int | None) -> Change:
        upward, statistic, channel = at.tolist()
        size, last, drifts = _line(self.moments[:, upward, statistic, channel])
        sign, centre = 1 - 2 * upward, self.usual.centre[self.series, statistic, channel]
        drifts = drifts and not statistic
        moved = sign * (last if drifts else size) * self.usual.deviation[self.series, statistic, channel]
        before, after = (np.exp(centre), np.exp(centre + moved)) if statistic else (centre, centre + moved)
        kind: Kind = "scale" if statistic else "drift" if drifts else "level"
        begin = int(self.begins[tuple(at)])
        return Change(self.series, channel, kind, begin, end, float(before), float(after), float(size))


def _line(moments: Floats) -> tuple[float, float, bool]:
    """Return the mean of blocks' distances, the last one by a straight line, and whether the line has a slope."""
    number, index, distance, product, squares, total = (float(each) for each in moments)
    mean, middle = distance / number, index / number
    across, along = product - index * mean, squares - index * middle
    within = total - distance * mean
    slope = across / along if along > 0 else 0.0
    error = max(within - slope * across, 0.0) / max(number - 2, 1)
    last = mean + slope * (number - middle)
    return mean, last, number >= BLOCKS and slope > TREND * np.sqrt(error / max(along, 1e-300))


def levels_and_widths(blocks: Numbers) -> tuple[Floats, Floats]:
    """Return medians and interquartile ranges of blocks [k, points, channels]; nan if half of one is missing."""
    few = np.isnan(blocks).mean(axis=1) > 0.5
    if few.all():
        return np.full(few.shape, np.nan), np.full(few.shape, np.nan)
    filled = np.where(few[:, None, :], 0, blocks)
    quantile = np.nanquantile if np.isnan(filled).any() else np.quantile
    low, middle, high = quantile(filled.astype(np.float64), [0.25, 0.5, 0.75], axis=1)
    return np.where(few, np.nan, middle), np.where(few, np.nan, high - low)


def _log(width: Floats, usual: Floats) -> Floats:
    """Return logarithms of interquartile ranges; nan where the usual one is 0: others cannot be compared with it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(usual > 0, np.log(np.maximum(width, usual / 100)), np.nan)
    return found


def _median(values: Floats) -> Floats:
    """Return medians over the first axis; nan where nothing is known."""
    known = ~np.isnan(values)
    found: Floats = np.nanmedian(np.where(known.any(axis=0), values, 0.0), axis=0)
    return np.where(known.any(axis=0), found, np.nan)


def _deviation(both: Floats, centre: Floats, width: Floats) -> Floats:
    """Return by how much statistics of blocks [k, 2, channels] vary, wider where each is like the one before it."""
    away = both - centre
    with np.errstate(invalid="ignore", divide="ignore"):
        limit = 3 * 1.4826 * _median(np.abs(away))
        near = np.nan_to_num(np.where(limit > 0, np.clip(away, -limit, limit), away))
        known = np.maximum((~np.isnan(away)).sum(axis=0), 1)
        variance = (near**2).sum(axis=0) / known
        alike = np.clip((near[1:] * near[:-1]).sum(axis=0) / known / np.maximum(variance, 1e-300), 0, 0.9)
    found = np.sqrt(variance * (1 + alike) / (1 - alike) * (1 + WIDER / known))
    least = np.stack([SMALLEST * width / 1.349, np.full(len(width), SMALLEST)])
    enough = (~np.isnan(away)).sum(axis=0) >= FEWEST
    tiny = np.stack([CONSTANT * (1 + np.abs(centre[0])), np.zeros(len(width))])
    return np.where(enough, np.maximum(np.maximum(found, least), tiny), np.nan)


def strongest(changes: Sequence[Change], most: int) -> list[Change]:
    """Return the changes farthest from what is usual."""
    return sorted(changes, key=lambda change: -abs(change.size))[:most]
