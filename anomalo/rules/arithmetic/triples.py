"""The numbers of a sample as a matrix, and triples of columns of which one is made of the two others in a few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.rules.acceptance import SHARE
from anomalo.rules.cells import Mask, Numbers, numbers, step
from anomalo.tabular.columns import Columns

MANY = 500
"""Rows that show most candidates to be none."""
ROWS, TURNS = 6, 3
"""A triple is a candidate if it holds in so many rows, or in as many others."""
CANDIDATES = 200
"""The most pairs of columns that are tried as the parts of one column."""
SEEN = 10
"""A term counts if it has another value than the neutral one in so many rows."""
MOST_COLUMNS = 250
"""So many columns are looked at, those with the rarest most frequent value."""
MODE = 0.95
"""A column whose most frequent value has a greater share is made of no others."""


@dataclass(frozen=True)
class Matrix:
    """The numbers of the rows of a sample.

    Attributes
    ----------
    names : tuple of str
        The columns.
    values : float64 [n, columns]
        nan where missing.
    steps : float64 [columns]
        The last decimal of each; see `cells.step`.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    steps: NDArray[np.float64]

    @classmethod
    def of(cls, part: Columns, names: list[str]) -> Matrix:
        """Return the numbers of some columns that are not constant."""
        cells = {name: numbers(part, name) for name in names}
        usual = {name: _usual(column) for name, column in cells.items()}
        varied = sorted((name for name in names if usual[name] < 1), key=lambda name: usual[name])[:MOST_COLUMNS]
        kept = [name for name in names if name in set(varied)]
        values = np.stack([cells[name] for name in kept], axis=1) if kept else np.zeros((part.rows, 0))
        return cls(tuple(kept), values, np.array([step(column) for column in values.T]))

    def without(self, names: set[str]) -> Matrix:
        """Return the matrix without some columns."""
        kept = [at for at, name in enumerate(self.names) if name not in names]
        return Matrix(tuple(self.names[at] for at in kept), self.values[:, kept], self.steps[kept])


def _usual(column: Numbers) -> float:
    """Return the share of a column's most frequent value among the observed ones; 1 if there is none."""
    often = np.unique(column[~np.isnan(column)], return_counts=True)[1]
    return float(often.max() / often.sum()) if len(often) else 1.0


def matters(rows: Mask, wrong: Mask) -> bool:
    """Return whether a term has a value that counts in enough rows, and the rule holds there."""
    seen = int(rows.sum())
    return seen >= SEEN and int((rows & wrong).sum()) <= 0.1 * seen


def triples(matrix: Matrix, combine: Callable[[Any, Any], Any]) -> Iterator[tuple[int, int, int]]:
    """Yield (target, first, second), so that target = combine(first, second) up to rounding in several rows."""
    for target in range(len(matrix.names)):
        found: set[tuple[int, int]] = set()
        column = matrix.values[:, target]
        rows = _varied(column)
        for turn in range(TURNS):
            here = rows[turn * ROWS : (turn + 1) * ROWS]
            if len(here) == ROWS:
                found.update(_pairs(matrix, target, here, combine))
        pairs = np.array(sorted(found)[:CANDIDATES], dtype=np.intp).reshape(-1, 2)
        for first, second in pairs[_mostly(matrix, target, pairs, combine)].tolist():
            yield target, first, second


def _mostly(
    matrix: Matrix, target: int, pairs: NDArray[np.intp], combine: Callable[[Any, Any], Any]
) -> NDArray[np.bool_]:
    """Return which pairs make the target in most of the rows that are not all 0, bool [k]."""
    few = matrix.values[:MANY]
    one, two = few[:, pairs[:, 0]], few[:, pairs[:, 1]]
    made = few[:, [target]]
    near = _near(made, one, two, matrix, target, combine, pairs[:, 0], pairs[:, 1])
    there = ~np.isnan(made + one + two) & ((made != 0) | (combine(one, two) != 0))
    return np.asarray((near & there).sum(axis=0) >= (1 - 3 * SHARE) * there.sum(axis=0) - 1)


def _varied(column: Numbers) -> NDArray[np.intp]:
    """Return rows in which a column has another value than its most frequent one and 0; none if it seldom has."""
    there = np.flatnonzero(~np.isnan(column))
    values, often = np.unique(column[there], return_counts=True)
    if not len(there) or often.max() > MODE * len(there):
        return np.zeros(0, dtype=np.intp)
    usual = values[often.argmax()]
    varied = (column[there] != 0) & ((column[there] != usual) | (len(values) < SEEN))
    return np.asarray(there[varied])


def _pairs(
    matrix: Matrix, target: int, rows: NDArray[np.intp], combine: Callable[[Any, Any], Any]
) -> set[tuple[int, int]]:
    """Return the pairs of other columns that make the target in all of these rows; missing cells count as made."""
    first = matrix.values[rows[0]]
    near = _near(first[target], first[:, None], first[None, :], matrix, target, combine)
    near[target], near[:, target] = False, False
    one, two = np.nonzero(np.triu(near, 1))
    for row in rows[1:]:
        cells = matrix.values[row]
        unlike = np.isnan(cells[one]) | np.isnan(cells[two])
        kept = unlike | _near(cells[target], cells[one], cells[two], matrix, target, combine, one, two)
        one, two = one[kept], two[kept]
    return set(zip(one.tolist(), two.tolist(), strict=True))


def _near(
    target: Any,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    matrix: Matrix,
    at: int,
    combine: Callable[[Any, Any], Any],
    one: NDArray[np.intp] | None = None,
    two: NDArray[np.intp] | None = None,
) -> Mask:
    """Return whether combinations are the target's value, up to the rounding of all three."""
    steps = np.where(matrix.steps < 1, matrix.steps, 0.0)
    left, right = (steps[:, None], steps[None, :]) if one is None else (steps[one], steps[two])
    if combine is np.multiply:
        rounding = 0.5 * (matrix.steps[at] + left * np.abs(second) + right * np.abs(first))
    else:
        rounding = 0.5 * (steps[at] + left + right)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.abs(target - combine(first, second)) <= 1.01 * rounding + 1e-6 * np.abs(target))
