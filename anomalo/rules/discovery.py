"""The rules of a table: looked for in a sample of its rows, and then counted in all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.rules.absences import absences
from anomalo.rules.acceptance import SHARE, SUPPORT
from anomalo.rules.arithmetic.products import products
from anomalo.rules.arithmetic.remainders import remainders
from anomalo.rules.arithmetic.sums import equalities, sums
from anomalo.rules.arithmetic.triples import Matrix
from anomalo.rules.cells import keys, take
from anomalo.rules.constants import constants
from anomalo.rules.dependencies import dependencies
from anomalo.rules.intervals import intervals
from anomalo.rules.orders import orders
from anomalo.rules.rule import Rule
from anomalo.rules.single.domains import domains
from anomalo.rules.single.signs import signs
from anomalo.tabular.column import Column
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts

SAMPLE = 5_000
"""Rules are looked for in so many rows."""
FEWEST = 40
"""In a table with fewer rows none is looked for."""
MOST = 200
"""The most rules, those with the largest support."""


def discover(columns: Columns, features: Sequence[Column]) -> tuple[Rule, ...]:
    """Return the rules that hold in all rows, or in nearly all that could break them.

    The order of the rows does not matter.

    Parameters
    ----------
    columns : Columns [n]
        The training rows.
    features : sequence of Column
        What they are; the label is not looked at.

    Reference: Abedjan, Golab and Naumann (2015), Profiling relational data: a survey, VLDB Journal 24; Kivinen and
    Mannila (1995), Approximate inference of functional dependencies from relations, Theoretical Computer Science 149.
    """
    if columns.rows < FEWEST:
        return ()
    names = [column.name for column in features if column.role == "feature"]
    part = take(columns, _in_order(columns, names)[:SAMPLE])
    sorts = _Sorts.of(part, [column for column in features if column.role == "feature"])
    found = [rule.refit(columns) for rule in _candidates(part, sorts)]
    kept = [rule for rule in found if rule.support >= SUPPORT and rule.exceptions <= SHARE * rule.support]
    return tuple(kept if len(kept) <= MOST else sorted(kept, key=lambda rule: -rule.support)[:MOST])


@dataclass(frozen=True)
class _Sorts:
    """The names of the columns of each sort."""

    numbers: list[str]
    datetimes: list[str]
    categories: list[str]

    @classmethod
    def of(cls, part: Columns, features: Sequence[Column]) -> _Sorts:
        names: dict[str, list[str]] = {"number": [], "datetime": [], "category": []}
        for column in features:
            if column.name in part.values:
                texts = isinstance(part.values[column.name], Texts)
                sort = "category" if texts else "datetime" if column.kind == "datetime" else "number"
                names[sort].append(column.name)
        return cls(names["number"], names["datetime"], names["category"])


def _candidates(part: Columns, sorts: _Sorts) -> Iterator[Rule]:
    """Yield the rules of a sample, without those that follow from others."""
    for names, datetime in ((sorts.numbers, False), (sorts.datetimes, True)):
        matrix = Matrix.of(part, names)
        equal = list(equalities(part, matrix))
        matrix = matrix.without({rule.target for rule in equal})
        made: list[Rule] = [] if datetime else _arithmetic(part, matrix)
        together = [set(rule.columns) for rule in made]
        yield from [*equal, *made]
        for order in orders(part, matrix, datetime):
            if not any(set(order.columns) <= columns for columns in together):
                yield order
    yield from signs(part, sorts.numbers)
    yield from domains(part, sorts.categories)
    yield from _between_levels(part, sorts)
    yield from absences(part, list(part.values), sorts.categories)


def _arithmetic(part: Columns, matrix: Matrix) -> list[Rule]:
    """Return the sums and products of numbers; a number that is a sum is none up to a remainder."""
    exact = [*sums(part, matrix), *products(part, matrix)]
    return [*exact, *remainders(part, matrix.without({rule.target for rule in exact}))]


def _between_levels(part: Columns, sorts: _Sorts) -> Iterator[Rule]:
    """Yield the rules on categories: dependencies, intervals of numbers, and numbers that levels fix."""
    decided, pairs = dependencies(part, [*sorts.categories, *sorts.numbers], sorts.numbers)
    known = [set(rule.columns) for rule in decided]
    targets = {rule.target for rule in decided if rule.both}
    rest = [name for name in sorts.categories if name not in targets]
    found = intervals(part, rest, [*sorts.numbers, *sorts.datetimes])
    limits = [rule for rule in found if set(rule.columns) not in known]
    known += [set(rule.columns) for rule in limits]
    yield from [*decided, *limits]
    for rule in pairs:
        if set(rule.columns) not in known:
            known.append(set(rule.columns))
            yield rule
    for constant in constants(part, sorts.categories, sorts.numbers):
        if not any(set(constant.columns) <= columns for columns in known):
            yield constant


def _in_order(columns: Columns, names: Sequence[str]) -> NDArray[np.intp]:
    """Return the rows in an order that depends on their cells alone, as good as random."""
    key = keys(columns, names)
    key += _occurrence(key) * np.uint64(0xD1B54A32D192ED03)  # equal rows lie apart, too
    key *= np.uint64(0x9E3779B97F4A7C15)
    return np.argsort(key ^ (key >> np.uint64(29)), kind="stable")


def _occurrence(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return for each row how many earlier ones have the same key, [n]."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    found = np.empty(len(key), dtype=np.uint64)
    found[order] = np.arange(len(key)) - np.searchsorted(ordered, ordered, side="left")
    return found
