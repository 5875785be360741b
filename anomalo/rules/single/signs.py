"""Signs: a number that is never negative."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anomalo.rules.acceptance import SUPPORT
from anomalo.rules.cells import Mask, Numbers, Writer, numbers, plain
from anomalo.rules.orders import LOOSE, has_edge, tail_below
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns

NEAR = 0.75
"""The 5th percentile is at most this part of the median: the numbers reach down towards 0, and stop there."""
FEW = 1e-3
"""Negative numbers are no tail if it would have less than this many as far below 0 as they are."""
UNSURE = (0.5, 7.0)
"""Where none is negative, a tail that would have so many neither ends far from 0, nor is it certain that it stops."""
SKEWED = 0.2
"""The least skewness of numbers that vary by factors."""
FEWEST = 5 * SUPPORT
"""Rows; in fewer, one that is negative may be a tail."""


@dataclass(frozen=True, kw_only=True)
class Sign(Rule):
    """A number that is never negative."""

    sort: ClassVar[str] = "sign"

    @property
    def kind(self) -> str:
        """A sign."""
        return "sign"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target alone."""
        return (self.target,)

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.target} is never negative"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows in which it is observed."""
        return ~np.isnan(numbers(columns, self.target))

    def broken(self, columns: Columns) -> Mask:
        """Return the rows in which it is negative."""
        with np.errstate(invalid="ignore"):
            return np.asarray(numbers(columns, self.target) < 0)

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the least value that it can have."""
        return [f"at least {value}" for value in write(self.target, np.zeros(columns.rows))]


def signs(part: Columns, names: Sequence[str]) -> Iterator[Sign]:
    """Yield the numbers that reach down towards 0 and stop there, or have few negative values that are no tail."""
    for name in names:
        values = numbers(part, name)
        if _stops(values[~np.isnan(values)]):
            yield Sign(target=name)


def _stops(values: Numbers) -> bool:
    if len(values) < FEWEST or (values < 0).sum() > LOOSE * len(values):
        return False
    low, middle = np.quantile(values, [0.05, 0.5])
    if middle <= 0 or low > NEAR * middle:
        return False
    below, (rate, tail) = values[values < 0], tail_below(np.sort(values[values > 0]))
    if not len(below) and (_skewed(values[values > 0]) or not UNSURE[0] < tail < UNSURE[1]):
        return True
    return bool(len(below) and tail * np.exp(rate * np.median(below)) <= FEW) or has_edge(values)


def _skewed(positive: Numbers) -> bool:
    """Return whether numbers are skewed to the right, and their logarithms much less: they vary by factors."""
    skew, of_logarithms = (_skewness(each) for each in (positive, np.log(positive)))
    return skew >= SKEWED and abs(of_logarithms) <= skew / 2


def _skewness(values: Numbers) -> float:
    """Return the skewness of Hinkley (1975, Biometrika 62), from -1 to 1, by the 10th, 50th and 90th percentile."""
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    return float((high + low - 2 * middle) / max(high - low, np.finfo(np.float64).tiny))
