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
    expected = tail * np.exp(rate * np.median(below)) if len(below) else tail
    return bool(expected <= (FEW if len(below) else 1.0)) or has_edge(values)
