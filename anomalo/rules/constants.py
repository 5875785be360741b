"""Constants: a number that has one value wherever a category has certain levels, and others elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from anomalo.rules.acceptance import SHARE, accepted
from anomalo.rules.cells import Levels, Mask, Numbers, Writer, by_level, numbers, plain
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns

MOST_LEVELS = 20
"""A category has at most so many levels."""


@dataclass(frozen=True, kw_only=True)
class Constant(Rule):
    """A number that has one value wherever a category has certain levels.

    Attributes
    ----------
    value : float
        The number.
    levels : Levels
        The category's.
    within : tuple of int
        Those with which the target has the value.
    """

    sort: ClassVar[str] = "constant"
    value: float
    levels: Levels
    within: tuple[int, ...]

    @property
    def kind(self) -> str:
        """A constant."""
        return "constant"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target and the category."""
        return self.target, self.levels.name

    @property
    def text(self) -> str:
        """In words."""
        names = self.levels.written(plain)
        which = " or ".join(names[at] for at in self.within)
        return f"{self.target} is {self.value:.12g} where {self.levels.name} is {which}"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows with one of the levels whose target is observed."""
        return np.asarray(np.isin(self.levels.codes(columns), self.within) & ~np.isnan(numbers(columns, self.target)))

    def broken(self, columns: Columns) -> Mask:
        """Return those of them with another value."""
        return np.asarray(self.applies(columns) & (numbers(columns, self.target) != self.value))

    def exact(self, columns: Columns) -> Numbers:
        """Return the value."""
        return np.full(columns.rows, self.value)

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the value, and the level that asks for it."""
        (value,) = write(self.target, np.array([self.value]))
        names = [*self.levels.written(write), ""]
        return [f"{value} ({self.levels.name} is {names[max(at, -1)]})" for at in self.levels.codes(columns).tolist()]

    @classmethod
    def from_fields(cls, **fields: Any) -> Self:
        """Rebuild a rule from the fields of `to_json`, lists as tuples."""
        return cls(**{**fields, "levels": Levels.from_json(fields["levels"])})


def constants(part: Columns, categories: Sequence[str], numeric: Sequence[str]) -> Iterator[Constant]:
    """Yield the numbers that a category fixes at their most frequent value with some of its levels, but not with all.

    Parameters
    ----------
    part : Columns [n]
        Rows in random order.
    categories, numeric : sequence of str
        The columns whose levels may fix a number, and those that may be fixed.
    """
    fixed = [name for name in numeric if np.unique(numbers(part, name)).size > 1]
    if not fixed:
        return
    cells = np.stack([numbers(part, name) for name in fixed], axis=1)
    there = ~np.isnan(cells)
    usual = np.array([_usual(column) for column in cells.T])
    other = there & (cells != usual)
    chance = other.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    there, other = there.astype(np.float32), other.astype(np.float32)
    for name in categories:
        levels = Levels.of(part, name, MOST_LEVELS)
        if levels is None:
            continue
        codes, size = levels.codes(part), len(levels.values)
        support, exceptions = by_level(codes, size, there), by_level(codes, size, other)
        for at in np.flatnonzero((exceptions <= SHARE * support).any(axis=0)).tolist():
            counts = zip(support[:, at].tolist(), exceptions[:, at].tolist(), strict=True)
            within = tuple(level for level, count in enumerate(counts) if accepted(*count, float(chance[at])))
            if 0 < len(within) < size:
                yield Constant(target=fixed[at], value=float(usual[at]), levels=levels, within=within)


def _usual(column: Numbers) -> float:
    """Return the most frequent number."""
    values, often = np.unique(column[~np.isnan(column)], return_counts=True)
    return float(values[often.argmax()]) if len(values) else np.nan
