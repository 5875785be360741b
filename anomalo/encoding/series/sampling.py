"""When the points of series were taken: their order, their usual step, and where a series breaks off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Indices = NDArray[np.intp]

REGULAR = 0.9
"""A series is regular if this share of its steps are the usual one or multiples of it."""
NEARLY = 0.05
"""By this part of the usual step a step may differ from a multiple."""
MUCH = 10.0
"""Of an irregular series, a step of so many usual ones is a gap, unless steps vary a lot."""
LONGEST = 0.99, 3.0
"""It is none if it is less than so many times this quantile of the steps."""


@dataclass(frozen=True)
class Sampling:
    """How series are sampled.

    Attributes
    ----------
    step : float
        The median of the steps between points, in units of the time; 0 if there is none.
    regular : bool
        Whether steps are multiples of it: then points that are missing between two others are known to be.
    gap : float
        Of an irregular series, the step from which on two points belong to different stretches.
    """

    step: float = 0.0
    regular: bool = False
    gap: float = np.inf

    @classmethod
    def of(cls, times: Times, series: Indices) -> Self:
        """Learn from points in order: their times and their series, each [points]."""
        steps = np.diff(times)[np.diff(series) == 0]
        steps = steps[steps > 0]
        if not len(steps):
            return cls()
        step = float(np.median(steps))
        multiple = np.maximum(np.round(steps / step), 1)
        regular = float(np.mean(np.abs(steps / step - multiple) <= NEARLY)) >= REGULAR
        gap = max(MUCH * step, LONGEST[1] * float(np.quantile(steps, LONGEST[0])))
        return cls(step, regular, gap)

    def absent(self, times: Times, series: Indices, most: int) -> Indices:
        """Return how many points are missing before each point of a regular series, at most `most`, [points]."""
        found = np.zeros(len(times), dtype=np.intp)
        if self.regular and len(times) > 1:
            steps = np.where(np.diff(series) == 0, np.diff(times), 0.0) / self.step
            found[1:] = np.clip(np.round(steps) - 1, 0, most)
        return found

    def begins(self, times: Times, series: Indices) -> NDArray[np.bool_]:
        """Return which points begin a stretch, bool [points]: the first of a series, and one after a gap."""
        found = np.ones(len(times), dtype=np.bool_)
        if len(times) > 1:
            found[1:] = np.diff(series) != 0
            if not self.regular:
                found[1:] |= np.diff(times) > self.gap
        return found


def in_order(times: Times, series: Indices) -> Indices:
    """Return the points' numbers, by series and time; those of one time stay as they are, intp [points]."""
    return np.lexsort((times, series))


def is_ordered(times: Times, series: Indices) -> bool:
    """Whether no point is earlier than one before it of the same series."""
    order = np.argsort(series, kind="stable")
    same = np.diff(series[order]) == 0
    return not bool((np.diff(times[order])[same] < 0).any())
