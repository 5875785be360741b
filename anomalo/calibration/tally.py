"""How often each value occurs: of numbers that repeat, such as p-values, all that order statistics need."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Scores

PENDING = 1 << 17
"""So many values, or a few times as many as are distinct, are counted at once."""

Counts = NDArray[np.int64]


class Tally:
    """Distinct values and how often each was added; memory is taken by these, however many are added.

    Examples
    --------
    >>> tally = Tally.of(np.array([0.5, 0.25, 0.5]))
    >>> len(tally), tally.values.tolist(), tally.counts.tolist()
    (3, [0.25, 0.5], [1, 2])
    """

    def __init__(self) -> None:
        self._values, self._counts = np.zeros(0), np.zeros(0, dtype=np.int64)
        self._pending: list[Scores] = []
        self._waiting = 0

    @classmethod
    def of(cls, values: Scores) -> Self:
        """Return the tally of some values."""
        tally = cls()
        tally.add(values)
        return tally

    def add(self, values: Scores) -> None:
        """Add values, float64 [n]."""
        self._pending.append(values)
        self._waiting += len(values)
        if self._waiting > max(PENDING, 4 * len(self._values)):
            self._count()

    @property
    def values(self) -> Scores:
        """The distinct values, ascending."""
        self._count()
        return self._values

    @property
    def counts(self) -> Counts:
        """How often each of them was added."""
        self._count()
        return self._counts

    def __len__(self) -> int:
        """How many values were added."""
        return int(self._counts.sum()) + self._waiting

    def share(self, most: float) -> float:
        """Return the share of values that are at most `most`; there is at least one value."""
        return float(self.counts[self.values <= most].sum() / len(self))

    def above(self, least: float) -> Self:
        """Return the tally of the values above `least`."""
        part = type(self)()
        some = self.values > least
        part._values, part._counts = self.values[some], self.counts[some]
        return part

    def _count(self) -> None:
        if not self._waiting:
            return
        new = np.sort(np.concatenate(self._pending))
        starts = np.flatnonzero(np.append(True, new[1:] != new[:-1]))
        values = np.concatenate([self._values, new[starts]])
        counts = np.concatenate([self._counts, np.diff(np.append(starts, len(new)))])
        self._pending, self._waiting = [], 0
        order = np.argsort(values, kind="stable")
        values, counts = values[order], counts[order]
        first = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
        self._values, self._counts = values[first], np.add.reduceat(counts, first)
