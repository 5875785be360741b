"""Corrupt one cell in each row of a table, far away or mildly, and say which.

Distances are in robust standard deviations of the column: 1.4826 times the median absolute deviation of its training
values, or their standard deviation where that is 0. A column whose training values are all equal is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Columns = NDArray[np.intp]

FAR = (3.0, 6.0)
MILD = (1.0, 3.0)


@dataclass(frozen=True)
class RobustScale:
    """The centre and the scale of each column's training values.

    Attributes
    ----------
    centre, scale : float64 [columns]
        Median and robust standard deviation; the scale of a constant column is 1.
    varying : int [m]
        The columns that are not constant.
    """

    centre: Matrix
    scale: Matrix
    varying: Columns

    @classmethod
    def of(cls, train: Matrix) -> Self:
        """Measure training rows [n, columns]."""
        centre = np.median(train, axis=0)
        robust = 1.4826 * np.median(np.abs(train - centre), axis=0)
        scale = np.where(robust > 0, robust, train.std(axis=0))
        varying = np.ptp(train, axis=0) > 0
        return cls(centre, np.where(varying, scale, 1.0), np.flatnonzero(varying))


@dataclass(frozen=True)
class Corrupted:
    """Rows with one corrupted cell each.

    Attributes
    ----------
    values : float64 [n, columns]
        The rows; `source` [n] has their positions among those that were given.
    column : int [n]
        The corrupted cell of each.
    """

    values: Matrix
    source: Columns
    column: Columns


def far(rows: Matrix, scales: RobustScale, rng: np.random.Generator) -> Corrupted:
    """Put a cell of each row [n, columns] 3 to 6 robust standard deviations from its column's median.

    The side is random, unless that is less than 3 from the cell's own value: then it is the other side.
    """
    column = rng.choice(scales.varying, len(rows))
    centre, scale = scales.centre[column], scales.scale[column]
    step = rng.choice([-1.0, 1.0], len(rows)) * rng.uniform(*FAR, len(rows)) * scale
    near = np.abs(centre + step - rows[np.arange(len(rows)), column]) < FAR[0] * scale
    return _put(rows, np.arange(len(rows)), column, centre + np.where(near, -step, step))


def mild(
    rows: Matrix, scales: RobustScale, rng: np.random.Generator, pool: Matrix, *, outlying: bool = False
) -> Corrupted:
    """Replace a cell of each row [n, columns] by another row's value, 1 to 3 robust standard deviations from its own.

    If `outlying`, it is 1 to 3 from the column's median, and at least 1 from the cell's own. The values come from the
    rows of `pool` [m, columns]. The column is drawn among those that have such a value; a row without any is left out.
    """
    chosen = [(at, *found) for at, row in enumerate(rows) if (found := _another(row, scales, rng, pool, outlying))]
    source, column, value = zip(*chosen, strict=True) if chosen else ((), (), ())
    return _put(rows, np.array(source, np.intp), np.array(column, np.intp), np.array(value))


def _another(
    row: Matrix, scales: RobustScale, rng: np.random.Generator, pool: Matrix, outlying: bool
) -> tuple[int, float] | None:
    for column in rng.permutation(scales.varying):
        values, scale = pool[:, column], scales.scale[column]
        moved = np.abs(values - row[column]) / scale
        away = np.abs(values - scales.centre[column]) / scale if outlying else moved
        fitting = values[(moved >= MILD[0]) & (away >= MILD[0]) & (away <= MILD[1])]
        if len(fitting):
            return int(column), float(rng.choice(fitting))
    return None


def _put(rows: Matrix, source: Columns, column: Columns, value: Matrix) -> Corrupted:
    values = rows[source].copy()
    values[np.arange(len(source)), column] = value
    return Corrupted(values, source, column)


def ranked_first(contribution: Matrix, column: Columns) -> float:
    """Return how often the corrupted cell has the largest contribution of its row, as a share.

    Parameters
    ----------
    contribution : float64 [n, columns]
        Of rows with one corrupted cell each.
    column : int [n]
        That cell. One that shares the first rank counts as often as a random choice among them would hit it.

    Examples
    --------
    >>> ranked_first(np.array([[3.0, 1.0], [2.0, 2.0]]), np.array([0, 0]))
    0.75
    """
    first = contribution == contribution.max(axis=1, keepdims=True)
    return float((first[np.arange(len(column)), column] / first.sum(axis=1)).mean())
