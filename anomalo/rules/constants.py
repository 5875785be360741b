"""Constants: a number that has one value wherever a category has certain levels, and others elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from anomalo.rules.acceptance import accepted
from anomalo.rules.cells import Codes, Levels, Mask, Numbers, Writer, numbers, plain
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
        return np.isin(self.levels.codes(columns), self.within) & ~np.isnan(numbers(columns, self.target))

    def broken(self, columns: Columns) -> Mask:
        """Return those of them with another value."""
        return self.applies(columns) & (numbers(columns, self.target) != self.value)

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
    levels = [found for name in categories if (found := Levels.of(part, name, MOST_LEVELS)) is not None]
    codes = [one.codes(part) for one in levels]
    for name in numeric:
        column = numbers(part, name)
        there = ~np.isnan(column)
        values, often = np.unique(column[there], return_counts=True)
        if len(values) < 2:
            continue
        usual = float(values[often.argmax()])
        for one, code in zip(levels, codes, strict=True):
            within = _within(code[there], column[there] != usual, len(one.values))
            if 0 < len(within) < len(one.values):
                yield Constant(target=name, value=usual, levels=one, within=within)


def _within(code: Codes, other: Mask, levels: int) -> tuple[int, ...]:
    """Return the levels with which hardly any number is another one than the most frequent."""
    chance, known = float(other.mean()), code >= 0
    support = np.bincount(code[known], minlength=levels).tolist()
    exceptions = np.bincount(code[known], other[known], minlength=levels).astype(np.int64).tolist()
    return tuple(at for at in range(levels) if accepted(support[at], exceptions[at], chance))
