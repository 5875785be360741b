"""The numbers of a sample as a matrix, and triples of columns of which one is made of the two others in a few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        varied = [
            name
            for name, column in cells.items()
            if np.nanmin(column, initial=np.inf) < np.nanmax(column, initial=-np.inf)
        ]
        values = np.stack([cells[name] for name in varied], axis=1) if varied else np.zeros((part.rows, 0))
        return cls(tuple(varied), values, np.array([step(column) for column in values.T]))

    def without(self, names: set[str]) -> Matrix:
        """Return the matrix without some columns."""
        kept = [at for at, name in enumerate(self.names) if name not in names]
        return Matrix(tuple(self.names[at] for at in kept), self.values[:, kept], self.steps[kept])


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
        for first, second in sorted(found)[:CANDIDATES]:
            yield target, first, second


def _varied(column: Numbers) -> NDArray[np.intp]:
    """Return rows in which a column has another value than its most frequent one and 0; none if it seldom has."""
    there = np.flatnonzero(~np.isnan(column))
    values, often = np.unique(column[there], return_counts=True)
    if not len(there) or often.max() > MODE * len(there):
        return np.zeros(0, dtype=np.intp)
    usual = values[often.argmax()]
    return there[(column[there] != 0) & ((column[there] != usual) | (len(values) < SEEN))]


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
    target: float,
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
        return np.asarray(np.abs(target - combine(first, second)) <= 1.01 * rounding + 1e-6 * abs(target))
