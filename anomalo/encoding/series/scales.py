"""The scale of each series: sensors of one kind differ in level and noise, and each is compared with itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.scaling import LARGEST, centre_and_scale, compress, expand

Numbers = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

FEWEST = 20
"""A series with fewer numbers in a channel has the scale of all series there."""
NARROWEST = 0.01
"""The scale of a series is at least this part of that of all series."""


@dataclass(frozen=True)
class Scales:
    """How points are brought from the scale of all series to that of their own, and back.

    Attributes
    ----------
    numbers : intp [channels of numbers]
        The positions of channels that have scales.
    offset, scale : float64 [channels of numbers]
        Those of all series.
    offsets, scales : float64 [series, channels of numbers]
        Those of each series.
    which : intp [points]
        The series of each point.
    """

    numbers: Indices
    offset: Floats
    scale: Floats
    offsets: Floats
    scales: Floats
    which: Indices

    def to_series(self, values: Numbers, at: Indices) -> Numbers:
        """Return values [n, channels] on the scale of all series as they are on that of the points `at` [n]."""
        mine = self.offsets[self.which[at]], self.scales[self.which[at]]
        return self._mapped(values, (self.offset, self.scale), mine)

    def to_common(self, values: Numbers, at: Indices) -> Numbers:
        """Undo `to_series`."""
        mine = self.offsets[self.which[at]], self.scales[self.which[at]]
        return self._mapped(values, mine, (self.offset, self.scale))

    def _mapped(self, values: Numbers, before: tuple[Floats, Floats], after: tuple[Floats, Floats]) -> Numbers:
        found = values.copy()
        with np.errstate(over="ignore"):
            original = before[0] + expand(values[:, self.numbers]) * before[1]
            distance = np.clip((original - after[0]) / after[1], -LARGEST, LARGEST)
        found[:, self.numbers] = compress(distance)
        return found

    @staticmethod
    def concatenate(parts: Sequence[Scales]) -> Scales:
        """Stack the points of several; all have the same series."""
        one = parts[0]
        which = np.concatenate([part.which for part in parts])
        return Scales(one.numbers, one.offset, one.scale, one.offsets, one.scales, which)


def own_scales(numbers: Floats, which: Indices, series: int, centres: Floats, scales: Floats) -> tuple[Floats, Floats]:
    """Return the centres and scales of each series, float64 [series + 1, channels]; the last ones are those of all.

    Parameters
    ----------
    numbers : float64 [points, channels]
        In original units; nan where missing.
    which : intp [points]
        The series of each point.
    centres, scales : float64 [channels]
        Those of all series.
    """
    offsets, widths = (np.tile(each, (series + 1, 1)) for each in (centres, scales))
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(1, series + 1))
    for each, rows in enumerate(np.split(order, ends)[:series]):
        for channel in range(numbers.shape[1]):
            seen = numbers[rows, channel]
            seen = seen[~np.isnan(seen)]
            if len(seen) >= FEWEST:
                offset, scale = centre_and_scale(seen)
                narrowest = NARROWEST * scales[channel]
                varies = np.ptp(seen) > 0
                offsets[each, channel], widths[each, channel] = offset, max(scale if varies else 0.0, narrowest)
    return offsets, widths
