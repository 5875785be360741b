"""Sums and equalities of numbers: total = fare + tip + tolls, closing = opening + in - out, and a = b."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomalo.rules.acceptance import accepted
from anomalo.rules.arithmetic.triples import MANY, Matrix, matters, triples
from anomalo.rules.cells import Mask, Numbers, Writer, decimals, numbers, plain
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns

RELATIVE = 1e-6
"""Sums of numbers that are not rounded agree to this share of the largest term."""
MOST_TERMS = 5
MOST_COLUMNS = 40
"""Sums of more than two terms are looked for among at most this many columns."""
TRIES = 8
INTEGER = 0.02
"""A coefficient this near to a whole number is that number."""


@dataclass(frozen=True, kw_only=True)
class Sum(Rule):
    """A number that is the sum, or difference, of others, up to rounding.

    Attributes
    ----------
    terms : tuple of str
        The columns that are added.
    signs : tuple of int
        1 or -1 for each.
    unit : float
        The last decimal of the target; 0 if it has too many.
    tolerance : float
        The largest difference that rounding explains.
    """

    sort: ClassVar[str] = "sum"
    terms: tuple[str, ...]
    signs: tuple[int, ...]
    unit: float = 0.0
    tolerance: float = 0.0

    @property
    def kind(self) -> str:
        """Equality of two columns, or a sum."""
        return "equality" if len(self.terms) == 1 and self.signs == (1,) else "sum"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target and the terms."""
        return self.target, *self.terms

    @property
    def one_way(self) -> bool:
        """No: all other columns decide each."""
        return False

    @property
    def text(self) -> str:
        """As an equation."""
        return f"{self.target} = {self._formula}"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows in which all numbers are observed, and not all are 0."""
        cells = np.stack([numbers(columns, name) for name in self.columns])
        found: Mask = ~np.isnan(cells).any(axis=0) & (cells != 0).any(axis=0)
        return found

    def broken(self, columns: Columns) -> Mask:
        """Return the rows in which the two sides differ by more than rounding."""
        terms = [numbers(columns, name) for name in self.terms]
        target = numbers(columns, self.target)
        largest = np.max(np.abs([target, *terms]), axis=0)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(target - self._sum(columns)) > self.tolerance + RELATIVE * largest)

    def ways(self, broken: Columns) -> int:
        """Return how many differences there are where two columns are equal, else as `Rule.ways`."""
        if len(self.terms) > 1:
            return super().ways(broken)
        return len(np.unique(np.round(numbers(broken, self.target) - self._sum(broken), 6)))

    def exact(self, columns: Columns) -> Numbers:
        """Return the sum of the terms, rounded as the target is."""
        return np.round(self._sum(columns), decimals(self.unit))

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the sum, and the formula."""
        return [f"{value} ({self._formula})" for value in write(self.target, self.exact(columns))]

    def expected_of(self, name: str, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the number that makes the sum right, and the formula."""
        return self._solved_for(name).expected(columns, write)

    def exact_of(self, name: str, columns: Columns) -> Numbers:
        """Return the number that makes the sum right, rounded as the target is."""
        return self._solved_for(name).exact(columns)

    def _solved_for(self, name: str) -> Sum:
        """Return the sum with one of its columns as the target."""
        if name == self.target:
            return self
        sign = self.signs[self.terms.index(name)]
        rest = [(term, -sign * other) for term, other in zip(self.terms, self.signs, strict=True) if term != name]
        terms, signs = zip(*sorted([(self.target, sign), *rest], key=lambda term: -term[1]), strict=True)
        return replace(self, target=name, terms=terms, signs=signs)

    def _sum(self, columns: Columns) -> Numbers:
        terms = zip(self.terms, self.signs, strict=True)
        return np.asarray(np.sum([sign * numbers(columns, name) for name, sign in terms], axis=0))

    @property
    def _formula(self) -> str:
        first, *rest = zip(self.terms, self.signs, strict=True)
        return ("-" if first[1] < 0 else "") + first[0] + "".join(f" {'+-'[sign < 0]} {name}" for name, sign in rest)


def equalities(part: Columns, matrix: Matrix) -> Iterator[Sum]:
    """Yield the numbers that equal another one: each with the first of its equals."""
    equal: set[int] = set()
    few, rounding = matrix.values[:MANY], np.where(matrix.steps < 1, matrix.steps, 0.0)
    for first in range(len(matrix.names)):
        if first in equal:
            continue
        near = np.abs(few - few[:, [first]]) <= rounding + RELATIVE * np.abs(few)
        both = ~np.isnan(few + few[:, [first]]) & ((few != 0) | (few[:, [first]] != 0))
        for other in np.flatnonzero((near & both).sum(axis=0) >= 0.9 * both.sum(axis=0)):
            if other > first and other not in equal and (rule := _accepted(part, matrix, int(other), (first,), (1,))):
                equal.add(int(other))
                yield rule


def sums(part: Columns, matrix: Matrix) -> Iterator[Sum]:
    """Yield the sums of two terms, and then those of up to five, of which none follows from others."""
    independent = _Independent(len(matrix.names))
    targets = set()
    for target, first, second in triples(matrix, np.add):
        rule = _accepted(part, matrix, target, (first, second), (1, 1))
        if rule is not None and independent.add([target, first, second], [-1, 1, 1]):
            targets.add(target)
            yield rule
    pool = [at for at in range(len(matrix.names)) if at not in targets]
    if len(pool) <= MOST_COLUMNS:
        for target, terms, signs in _relations(matrix.values, pool):
            rule = _accepted(part, matrix, target, terms, signs)
            if rule is not None and independent.add([target, *terms], [-1, *signs]):
                yield rule


def _accepted(part: Columns, matrix: Matrix, target: int, terms: Sequence[int], signs: tuple[int, ...]) -> Sum | None:
    names = matrix.names
    steps = matrix.steps[[target, *terms]]
    rounding = 0.5 * steps.max() * len(steps) if 0 < steps.min() <= steps.max() < 1 else 0.0
    rule = Sum(
        target=names[target],
        terms=tuple(names[at] for at in terms),
        signs=signs,
        unit=float(matrix.steps[target]),
        tolerance=float(1.01 * rounding),
    )
    total = matrix.values[:, list(terms)] @ np.array(signs, dtype=np.float64)
    there, wrong = rule.applies(part), rule.broken(part)
    allowed = rule.tolerance + RELATIVE * np.abs(total)
    support = int(there.sum())
    shuffled = np.roll(matrix.values[there, target], support // 2)
    chance = float(np.mean(np.abs(shuffled - total[there]) > allowed[there])) if support else 0.0
    if not accepted(support, int(wrong.sum()), chance):
        return None
    changing = [there & (matrix.values[:, at] != 0) for at in terms]
    return rule if all(matters(rows, wrong) for rows in changing) else None


def _relations(values: NDArray[np.float64], pool: list[int]) -> Iterator[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Yield (target, terms, signs) of relations of 3 to 6 columns whose coefficients are 1 or -1.

    They are the null space of a few rows, in which none of them is broken with some probability: hence several tries.
    """
    whole = values[:, pool]
    whole = whole[~np.isnan(whole).any(axis=1)]
    if len(pool) < 4 or len(whole) < 4 * len(pool):
        return
    scale = np.sqrt(np.mean((whole - np.median(whole, axis=0)) ** 2, axis=0))
    if not (scale > 0).all():
        return
    seen = set()
    for attempt in range(TRIES):
        for vector in _null_space(_varied(whole, attempt) / scale) / scale:
            found = _whole_numbers(vector)
            if found is not None and tuple(found) not in seen:
                seen.add(tuple(found))
                yield _as_sum(found, pool)


def _varied(whole: NDArray[np.float64], attempt: int) -> NDArray[np.float64]:
    """Return some of the rows: of each column two that have not its most frequent value, and others."""
    rng = np.random.default_rng(attempt)
    picked = [rng.integers(len(whole), size=whole.shape[1] + 5)]
    for column in whole.T:
        values, often = np.unique(column, return_counts=True)
        picked.append(rng.choice(np.flatnonzero(column != values[often.argmax()]), 2))
    return np.asarray(whole[np.unique(np.concatenate(picked))])


def _null_space(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the relations that hold in all rows, each with a column that no other has, [k, columns]."""
    _, singular, right = np.linalg.svd(rows, full_matrices=False)
    basis = right[singular < 2e-3 * singular[0]].copy()
    for at in range(len(basis)):
        pivot = int(np.abs(basis[at]).argmax())
        if basis[at, pivot] == 0:
            return np.asarray(basis[:at])
        basis[at] /= basis[at, pivot]
        others = np.arange(len(basis)) != at
        basis[others] -= basis[others, pivot][:, None] * basis[at]
    return np.asarray(basis)


def _whole_numbers(vector: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return coefficients as 1, 0 and -1, if they are nearly so and 4 to 6 of them are not 0 (3 are found before)."""
    scaled = vector / vector[np.abs(vector).argmax()]
    found = np.round(scaled).astype(np.int64)
    near = (np.abs(scaled - found) < INTEGER).all()
    return found if near and 4 <= np.count_nonzero(found) <= MOST_TERMS + 1 else None


def _as_sum(found: NDArray[np.int64], pool: list[int]) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return a relation solved for the column that alone has its sign, or for the last one."""
    at = np.flatnonzero(found)
    alone = [column for column in at if (found[at] == found[column]).sum() == 1]
    target = int(alone[-1] if alone else at[-1])
    terms = sorted(
        (int(column) for column in at if column != target), key=lambda column: -found[column] * -found[target]
    )
    signs = tuple(int(-found[column] * found[target]) for column in terms)
    return pool[target], tuple(pool[column] for column in terms), signs


class _Independent:
    """Linear relations, of which none follows from others."""

    def __init__(self, columns: int) -> None:
        self.relations = np.zeros((0, columns))

    def add(self, columns: list[int], coefficients: Sequence[int]) -> bool:
        """Add a relation, and return whether it did not follow from those that there are."""
        row = np.zeros(self.relations.shape[1])
        row[columns] = coefficients
        more = np.vstack([self.relations, row])
        if np.linalg.matrix_rank(more) < len(more):
            return False
        self.relations = more
        return True
