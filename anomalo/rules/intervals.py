"""Intervals: a category has one level exactly where a number, or the sum of two counts, lies between two limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.rules.acceptance import SHARE, accepted
from anomalo.rules.cells import MISSING, Levels, Mask, Numbers, Writer, numbers, plain
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns

MOST_LEVELS = 10
"""A target has at most so many levels."""
MOST_COUNTS, LARGEST_COUNT = 6, 12
"""Sums of two are tried among so many columns of whole numbers from 0, each with at most so many values."""
SCREENS = 300, 1500
"""A level is tried on so many rows first."""
FEWEST = 200
"""In fewer rows a gradual change may look like a limit."""
STEPS = 2 * LARGEST_COUNT
"""A number with at most so many values changes in steps, not gradually."""
NEAR = 0.05
"""Exceptions this near to a limit, as a share of the rows, are those of a gradual change."""


@dataclass(frozen=True, kw_only=True)
class Interval(Rule):
    """A level that a column has exactly where a number lies in an interval.

    Attributes
    ----------
    terms : tuple of one or two str
        The number, or those whose sum it is.
    levels : Levels
        The target's.
    level : int
        Which of them.
    low, high : float
        The smallest and largest number inside.
    below, above : float
        The largest smaller one, and the smallest larger one, outside; None if there is none. Between these and
        `low` or `high` nothing is said.
    """

    sort: ClassVar[str] = "interval"
    terms: tuple[str, ...]
    levels: Levels
    level: int
    low: float
    high: float
    below: float | None
    above: float | None

    @property
    def kind(self) -> str:
        """An interval."""
        return "interval"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target and the numbers."""
        return self.target, *self.terms

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.target} is {self.levels.written(plain)[self.level]} exactly where {self._where(plain)}"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows whose number and target are observed, and the number is not between inside and outside."""
        inside, outside = self._sides(columns)
        code = self.levels.codes(columns)
        return np.asarray((inside | outside) & (code != MISSING))

    def broken(self, columns: Columns) -> Mask:
        """Return the rows inside with another level, and those outside with this one."""
        inside, outside = self._sides(columns)
        code = self.levels.codes(columns)
        other = (code != MISSING) & (code != self.level)
        return np.asarray((inside & other) | (outside & (code == self.level)))

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the level that the number asks for, and why."""
        names = self.levels.written(write)
        rest = names[1 - self.level] if len(names) == 2 else f"not {names[self.level]}"
        inside, _ = self._sides(columns)
        values = (
            write(self.terms[0], self._number(columns)) if len(self.terms) == 1 else plain("", self._number(columns))
        )
        number = " + ".join(self.terms)
        return [
            f"{names[self.level] if here else rest} ({number} is {value})"
            for here, value in zip(inside, values, strict=True)
        ]

    def _where(self, write: Writer) -> str:
        number = " + ".join(self.terms)
        low, high, above = write(
            self.terms[0], np.array([self.low, self.high, self.high if self.above is None else self.above])
        )
        if self.low == self.high:
            return f"{number} is {low}"
        if self.below is None:
            return f"{number} is below {above}"
        return f"{number} is at least {low}" if self.above is None else f"{number} is {low} to {high}"

    def _number(self, columns: Columns) -> Numbers:
        return np.asarray(np.sum([numbers(columns, name) for name in self.terms], axis=0))

    def _sides(self, columns: Columns) -> tuple[Mask, Mask]:
        number = self._number(columns)
        below, above = -np.inf if self.below is None else self.below, np.inf if self.above is None else self.above
        return (number >= self.low) & (number <= self.high), (number <= below) | (number >= above)

    @classmethod
    def from_fields(cls, **fields: Any) -> Self:
        """Rebuild a rule from the fields of `to_json`, lists as tuples."""
        return cls(**{**fields, "levels": Levels.from_json(fields["levels"])})


def intervals(part: Columns, names: Sequence[str], numeric: Sequence[str]) -> Iterator[Interval]:
    """Yield for each level of a category the best interval of a number that says where it is, if that is a rule.

    Parameters
    ----------
    part : Columns [n]
        Rows in random order.
    names : sequence of str
        Categories.
    numeric : sequence of str
        Numbers and moments.
    """
    flags = [
        (levels, level) for name in names if (levels := Levels.of(part, name, MOST_LEVELS)) for level in _of(levels)
    ]
    if not flags or part.rows < FEWEST:
        return
    codes = [levels.codes(part) for levels, _ in flags]
    is_level = np.stack(
        [np.where(code < 0, 0, np.where(code == level, 1, -1)) for code, (_, level) in zip(codes, flags, strict=True)],
        axis=1,
    )
    found: dict[int, tuple[int, Interval]] = {}
    for terms in _numbers(part, numeric):
        number = np.asarray(np.sum([numbers(part, name) for name in terms], axis=0))
        left = np.arange(len(flags))
        for few in SCREENS:
            left = left[_screened(number[:few], is_level[:few, left])]
        for at in left.tolist():
            rule = _rule(terms, number, is_level[:, at], *flags[at])
            if rule is not None and (at not in found or rule[0] < found[at][0]):
                found[at] = rule
    for at in sorted(found):
        yield found[at][1]


def _of(levels: Levels) -> range:
    """Return the levels to look for: of two, the last one says all."""
    return range(1, 2) if len(levels.values) == 2 else range(len(levels.values))


def _numbers(part: Columns, numeric: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the numbers, and the pairs of counts."""
    yield from ((name,) for name in numeric)
    counts = [name for name in numeric if _is_count(numbers(part, name))][:MOST_COUNTS]
    yield from combinations(counts, 2)


def _is_count(column: Numbers) -> bool:
    values = np.unique(column[~np.isnan(column)])
    return bool(1 < len(values) <= LARGEST_COUNT and values[0] == 0 and (values == np.round(values)).all())


def _errors(
    number: Numbers, is_level: NDArray[np.int64]
) -> tuple[Numbers, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct numbers, and for each flag [k] the first and last of the best interval and its errors."""
    there = ~np.isnan(number)
    values, at = np.unique(number[there], return_inverse=True)
    gain = np.zeros((len(values), is_level.shape[1]), dtype=np.int64)
    np.add.at(gain, at, is_level[there])
    total = np.vstack([np.zeros((1, gain.shape[1]), dtype=np.int64), np.cumsum(gain, axis=0)])
    least = np.minimum.accumulate(total, axis=0)[:-1]
    last = (total[1:] - least).argmax(axis=0)
    flags = np.arange(gain.shape[1])
    start = least[last, flags]
    first = (total == start).argmax(axis=0)
    errors = (is_level[there] > 0).sum(axis=0) - (total[last + 1, flags] - start)
    return values, first, last, errors


def _screened(number: Numbers, is_level: NDArray[np.int64]) -> Mask:
    """Return which flags an interval of the number may explain, bool [k]."""
    there = ~np.isnan(number)
    if not is_level.size or not there.any():
        return np.zeros(is_level.shape[1], dtype=np.bool_)
    errors = _errors(number, is_level)[3]
    seen, with_level = (is_level[there] != 0).sum(axis=0), (is_level[there] > 0).sum(axis=0)
    fewest = np.minimum(with_level, seen - with_level)
    return np.asarray((errors <= 1.5 * SHARE * seen + 2) & (errors <= 0.2 * fewest + 2) & (fewest > 4))


def _rule(
    terms: tuple[str, ...], number: Numbers, is_level: NDArray[np.int64], levels: Levels, level: int
) -> tuple[int, Interval] | None:
    """Return the interval and its exceptions, if it is a rule."""
    there = ~np.isnan(number) & (is_level != 0)
    number, flag = number[there], is_level[there] > 0
    values, first, last, _ = _errors(number, np.where(flag, 1, -1)[:, None])
    low, high = float(values[first[0]]), float(values[last[0]])
    inside = (number >= low) & (number <= high)
    wrong = inside != flag
    share, width = flag.mean(), inside.mean()
    chance = float(share * (1 - width) + width * (1 - share))
    if (
        len(number) < FEWEST
        or not accepted(len(number), int(wrong.sum()), chance)
        or not _sharp(number, wrong, low, high)
    ):
        return None
    smaller, larger = values[values < low], values[values > high]
    rule = Interval(
        target=levels.name,
        terms=terms,
        levels=levels,
        level=level,
        low=low,
        high=high,
        below=float(smaller[-1]) if len(smaller) else None,
        above=float(larger[0]) if len(larger) else None,
    )
    return int(wrong.sum()), rule


def _sharp(number: Numbers, wrong: Mask, low: float, high: float) -> bool:
    """Return whether the exceptions do not lie near the limits, as those of a gradual change do."""
    if len(np.unique(number)) <= STEPS:
        return True
    order = np.sort(number)
    rank = np.searchsorted(order, number[wrong])
    limits = np.array([np.searchsorted(order, low), np.searchsorted(order, high, side="right")])
    near = (np.abs(rank[:, None] - limits[None, :]) <= NEAR * len(number)).any(axis=1)
    return int(near.sum()) <= 0.5 * int(wrong.sum())
