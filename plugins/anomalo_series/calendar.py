"""The usual course of the day, the week or the year, taken out of windows before a model, and put back after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats

SHRUNK = 10
"""The mean of a phase is that of its points and of so many more at the mean of all."""


@dataclass(frozen=True)
class SeasonMeans:
    """How far numbers of each phase of a cycle are from the mean of all, usually.

    Attributes
    ----------
    table : float64 [phases + 1, C]
        0 for categories, and in the last row, which is for points without a phase.

    Reference: Cleveland et al. (1990), STL: a seasonal-trend decomposition procedure based on loess, Journal of
    Official Statistics 6, of which this is the seasonal part, its means shrunk as in Efron and Morris (1975), Data
    analysis using Stein's estimator, JASA 70.
    """

    table: NDArray[np.float64]

    @classmethod
    def none(cls, channels: int) -> Self:
        """Return means that change nothing."""
        return cls(np.zeros((1, channels)))

    @classmethod
    def of(cls, data: Encoded) -> Self:
        """Learn from the last points of windows [n, T, C], each of which is another point of the series."""
        channels = len(data.layout.blocks)
        if data.season is None or not len(data):
            return cls.none(channels)
        phase, seen, values = data.season[:, -1], data.observed[:, -1], data.values[:, -1].astype(np.float64)
        centred = np.where(seen, values - values.sum(axis=0, where=seen) / seen.sum(axis=0).clip(min=1), 0.0)
        table = np.zeros((int(phase.max(initial=-1)) + 2, channels))
        for one in range(len(table) - 1):
            mine = phase == one
            table[one] = centred[mine].sum(axis=0) / (seen[mine].sum(axis=0) + SHRUNK)
        table[:, data.layout.categories] = 0.0
        return cls(table)

    def __bool__(self) -> bool:
        return bool(self.table.any())

    def taken_out(self, data: Encoded) -> Encoded:
        """Return the windows without the usual course; what is not observed stays as it is."""
        if not self or data.season is None:
            return data
        values = np.where(data.observed, data.values - self._of(data), data.values)
        return replace(data, values=values.astype(np.float32))

    def put_back(self, values: Floats, data: Encoded) -> Floats:
        """Return what was said of the windows without it, [..., n, T, C], as what is said of the windows `data`."""
        if not self or data.season is None:
            return values
        return np.asarray(values + self._of(data), dtype=np.float32)

    def _of(self, data: Encoded) -> NDArray[np.float64]:
        """Return the usual course of the windows' points, [n, T, C]; 0 at phases that were not in training."""
        assert data.season is not None, "without a calendar there is no usual course"
        last = len(self.table) - 1
        return self.table[np.where((data.season < 0) | (data.season >= last), last, data.season)]
