"""Sums up to a remainder of few values: total = fare + tip + tolls, and one of some fixed fees."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomalo.rules.acceptance import SHARE, accepted
from anomalo.rules.arithmetic.triples import Matrix
from anomalo.rules.cells import Mask, Numbers, Writer, decimals, listed, numbers, plain
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns

MOST_REMAINDERS = 12
"""A remainder has at most so many values,"""
FEWER = 5
"""and the target, like the sum of the terms, at least so many times as many."""
OFTEN = 0.004
"""The least share of rows with each of them."""
MOST_TERMS = 4
POOL = 8
"""Terms are looked for among so many columns, those that the target follows most closely."""
MOST_COLUMNS = 40
ROWS = 1_000
"""Rows in which sums are looked for."""
UNIT = 1e-6


@dataclass(frozen=True, kw_only=True)
class Remainder(Rule):
    """A number that is the sum of others and one of few numbers.

    Attributes
    ----------
    terms : tuple of str
        The columns that are added.
    remainders : tuple of float
        What may be left, ascending.
    usual : float
        What is left most often.
    unit : float
        The last decimal of the target.
    """

    sort: ClassVar[str] = "remainder"
    terms: tuple[str, ...]
    remainders: tuple[float, ...]
    usual: float
    unit: float

    @property
    def kind(self) -> str:
        """A sum."""
        return "sum"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target and the terms."""
        return self.target, *self.terms

    @property
    def text(self) -> str:
        """As an equation."""
        rest = [f"{value:.12g}" for value in self.remainders]
        return f"{self.target} = {' + '.join(self.terms)} + one of {listed(rest)}"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows in which all numbers are observed."""
        return ~np.isnan(self._rest(columns))

    def broken(self, columns: Columns) -> Mask:
        """Return the rows in which something else is left."""
        rest = self._rest(columns)
        known = np.array(self.remainders)
        nearest = known[np.searchsorted((known[1:] + known[:-1]) / 2, np.nan_to_num(rest))]
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(rest - nearest) > self.unit / 2)

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the sum with the most frequent remainder, and the formula."""
        total = numbers(columns, self.target) - self._rest(columns) + self.usual
        formula = f"{' + '.join(self.terms)} + {self.usual:.12g}"
        return [f"{value} ({formula})" for value in write(self.target, np.round(total, decimals(self.unit)))]

    def _rest(self, columns: Columns) -> Numbers:
        terms = np.sum([numbers(columns, name) for name in self.terms], axis=0)
        return np.asarray(np.round(numbers(columns, self.target) - terms, decimals(self.unit)))


def remainders(part: Columns, matrix: Matrix) -> Iterator[Remainder]:
    """Yield for each number with decimals the sum of others that leaves the fewest values, if these are few."""
    if not 2 <= len(matrix.names) <= MOST_COLUMNS:
        return
    few = matrix.values[:ROWS]
    for target in np.flatnonzero((matrix.steps > UNIT) & (matrix.steps < 1)).tolist():
        found = _fewest(few, matrix.steps, target)
        if found is None:
            continue
        terms, rest, usual = found
        unit = float(matrix.steps[[target, *terms]].min())
        names = matrix.names
        rule = Remainder(
            target=names[target], terms=tuple(names[at] for at in terms), remainders=rest, usual=usual, unit=unit
        )
        there = np.flatnonzero(rule.applies(part))
        rolled = np.round(
            np.roll(matrix.values[there, target], len(there) // 2) - matrix.values[there][:, terms].sum(1), 6
        )
        chance = float(np.mean(~np.isin(np.round(rolled / unit), np.round(np.array(rest) / unit))))
        if accepted(len(there), int(rule.broken(part).sum()), chance):
            yield rule


def _fewest(few: NDArray[np.float64], steps: Numbers, target: int) -> tuple[list[int], tuple[float, ...], float] | None:
    """Return the terms whose sum leaves the fewest values of the target, these, and the most frequent of them.

    None if they are not few.
    """
    best: tuple[int, list[int], tuple[float, ...], float] | None = None
    for terms in _subsets(few, steps, target):
        whole = few[:, [target, *terms]]
        whole = whole[~np.isnan(whole).any(axis=1)]
        if len(whole) < FEWER * MOST_REMAINDERS:
            continue
        places = decimals(float(steps[[target, *terms]].min()))
        values, often = np.unique(np.round(whole[:, 0] - whole[:, 1:].sum(axis=1), places), return_counts=True)
        frequent = often >= max(3, OFTEN * len(whole))
        count = int(frequent.sum())
        covered = often[frequent].sum() >= (1 - SHARE) * len(whole)
        if not covered or count > MOST_REMAINDERS or count * FEWER > len(np.unique(whole[:, 0])):
            continue
        if all(len(np.unique(term)) > 1 for term in whole[:, 1:].T) and (best is None or count < best[0]):
            best = count, list(terms), tuple(values[frequent].tolist()), float(values[often.argmax()])
    return None if best is None or best[0] < 2 else best[1:]


def _subsets(few: NDArray[np.float64], steps: Numbers, target: int) -> Iterator[Sequence[int]]:
    """Yield sets of columns that may be terms: numbers with decimals as the target has, which it is seldom below."""
    others = [at for at in range(few.shape[1]) if at != target and steps[at] > UNIT]
    with np.errstate(invalid="ignore"):
        above = [float(np.mean(few[:, target] >= few[:, at])) for at in others]
    pool = [
        at for share, at in sorted(zip(above, others, strict=True), key=lambda pair: -pair[0])[:POOL] if share > 0.9
    ]
    for size in range(1, min(MOST_TERMS, len(pool)) + 1):
        yield from itertools.combinations(sorted(pool), size)
