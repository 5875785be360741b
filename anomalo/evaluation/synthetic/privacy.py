"""How close synthetic rows are to single real rows: copies, and membership inference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.evaluation.synthetic.tables import Cells, Rows

MOST = 20_000
"""At most so many rows of each table are compared; a random sample of a longer one."""
BLOCK = 512
LEVELS = 200
"""A category's most frequent levels that have an indicator each; all others share one."""

DECIMALS = 5
"""Distances are rounded to so many, so that equal ones are equal."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Closeness:
    """How close synthetic rows are to the real rows that the generator was fitted on, and to other real rows.

    Attributes
    ----------
    to_train, to_holdout : float64 [n]
        Each synthetic row's distance to the closest of equally many training rows and holdout rows.
    nearer_share : float
        The share of synthetic rows nearer to a training row than to any holdout row, ties counted half: 0.5 if the
        model learned the distribution and nothing of its rows, 1 if it copies.
    membership : float
        The AUROC of classifying training and holdout rows by their distance to the closest synthetic row: 0.5 if
        the synthetic rows do not reveal which rows were in training.
    """

    to_train: Cells
    to_holdout: Cells
    nearer_share: float
    membership: float


def closeness(train: Rows, holdout: Rows, synthetic: Rows, seed: int = 0) -> Closeness:
    """Compare synthetic rows with the rows that they were learned from and others of the same origin.

    The distance is Euclidean in numbers divided by their standard deviation in the training rows; two different levels,
    or a missing and an observed cell, are 1 apart.

    Reference: Platzer and Reutterer (2021), Holdout-based empirical assessment of mixed-type synthetic data, Frontiers
    in Big Data 4; Chen et al. (2020), GAN-Leaks: a taxonomy of membership inference attacks against generative models,
    CCS (the distance to the closest synthetic row).
    """
    from sklearn.metrics import roc_auc_score

    rng, scale = np.random.default_rng(seed), _scale(train)
    count = min(len(train), len(holdout), MOST)
    mine, others = (_matrix(rows.at_most(count, rng), scale) for rows in (train, holdout))
    synthesized = _matrix(synthetic.at_most(MOST, rng), scale)
    (to_train, from_train), (to_holdout, from_holdout) = closest(synthesized, mine), closest(synthesized, others)
    nearer = np.sign(to_holdout - to_train)
    truth, distance = np.repeat([1, 0], count), np.concatenate([from_train, from_holdout])
    return Closeness(to_train, to_holdout, float((1 + nearer.mean()) / 2), float(roc_auc_score(truth, -distance)))


def copies(rows: Rows, of: Rows) -> float:
    """Return the share of rows that equal a row of `of` in every cell."""
    known = {row.tobytes() for row in _comparable(of)}
    return float(np.mean([row.tobytes() in known for row in _comparable(rows)])) if len(rows) else 0.0


def repeated(rows: Rows) -> float:
    """Return the share of rows that equal another one of them in every cell."""
    counts = Counter(row.tobytes() for row in _comparable(rows))
    return sum(count for count in counts.values() if count > 1) / max(len(rows), 1)


def closest(one: Matrix, other: Matrix) -> tuple[Cells, Cells]:
    """Return the distance of each row to the closest row on the other side: float64 [n] and [m].

    Raises
    ------
    ValueError
        A side has no row.
    """
    nearest, back, partner = np.empty(len(one)), np.full(len(other), np.inf), np.zeros(len(other), dtype=np.intp)
    squares = np.square(other).sum(axis=1)
    for rows in _blocks(len(one)):
        block = one[rows]
        apart = np.square(block).sum(axis=1)[:, None] + squares - 2 * (block @ other.T)
        nearest[rows] = _exact(block, other[apart.argmin(axis=1)])
        least = apart.min(axis=0)
        partner = np.where(least < back, rows.start + apart.argmin(axis=0), partner)
        back = np.minimum(back, least)
    return nearest, _exact(other, one[partner])


def _exact(one: Matrix, other: Matrix) -> Cells:
    """Return the distance of each row to its partner, without the rounding of a matrix product."""
    distance: Cells = np.round(np.sqrt(np.square(one.astype(np.float64) - other).sum(axis=1)), DECIMALS)
    return distance


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, BLOCK):
        yield slice(start, min(start + BLOCK, rows))


def _scale(train: Rows) -> tuple[Cells, Cells]:
    """Return the mean and the standard deviation of each column, 0 and 1 where there is nothing."""
    seen = ~np.isnan(train.cells)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, train.cells, 0.0).sum(axis=0) / count
    deviation = np.sqrt(np.where(seen, np.square(train.cells - mean), 0.0).sum(axis=0) / count)
    return mean, np.where(deviation > 0, deviation, 1.0)


def _matrix(rows: Rows, scale: tuple[Cells, Cells]) -> Matrix:
    """Return numbers of unit variance, levels as indicators, and flags of missing values, float32 [n, width]."""
    parts = [np.zeros((len(rows), 0), dtype=np.float32)]
    for at, levels in enumerate(rows.levels):
        values = rows.cells[:, at]
        missing = np.isnan(values)
        if levels:
            size = min(len(levels), LEVELS + 1) + 1
            codes = np.where(missing, size - 1, np.minimum(values, size - 2))
            parts.append((codes[:, None] == np.arange(size)).astype(np.float32) * np.float32(np.sqrt(0.5)))
        else:
            number = np.where(missing, 0.0, (values - scale[0][at]) / scale[1][at])
            parts.append(np.column_stack([number, missing]).astype(np.float32))
    return np.concatenate(parts, axis=1)


def _comparable(rows: Rows) -> Cells:
    return np.ascontiguousarray(np.where(np.isnan(rows.cells), np.inf, rows.cells + 0.0))
