"""All measures of synthetic rows that the available real rows allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalo.errors import UsageError
from anomalo.evaluation.synthetic.correlations import Pairs, column_pairs, quality
from anomalo.evaluation.synthetic.marginals import column_shapes
from anomalo.evaluation.synthetic.privacy import Closeness, closeness, copies, repeated
from anomalo.evaluation.synthetic.tables import Cells, Rows
from anomalo.evaluation.synthetic.utility import Task, distinguishability, task, usefulness

FEWEST = 10
"""Fewer rows than this are refused."""


@dataclass(frozen=True)
class Usefulness:
    """How well trees predict the label of real rows that they did not see.

    Attributes
    ----------
    label : str
        The column that is predicted.
    measure : {"AUROC", "R2"}
    synthetic, real : float
        Of trees trained on the synthetic rows, and on the real ones.
    """

    label: str
    measure: Task
    synthetic: float
    real: float


@dataclass(frozen=True)
class Fidelity:
    """The measures of synthetic rows; None where a measure needs real rows that were not given.

    Attributes
    ----------
    shapes : float64 [columns]
        See `column_shapes`.
    pairs : Pairs
        See `column_pairs`.
    quality : float
        SDMetrics' quality score of both.
    distinguishability_train, distinguishability_holdout : float
        See `distinguishability`; against training rows, copies look good.
    usefulness : Usefulness or None
    closeness : Closeness or None
    copied : float
        The share of synthetic rows that equal a training row in every cell.
    recurring : float
        How often equal rows occur anyway: the share of holdout rows that equal a training row, or without any of
        training rows that equal another one.
    """

    shapes: Cells
    pairs: Pairs
    quality: float
    distinguishability_train: float
    distinguishability_holdout: float | None
    usefulness: Usefulness | None
    closeness: Closeness | None
    copied: float
    recurring: float


def measure(
    train: Rows,
    synthetic: Rows,
    *,
    holdout: Rows | None = None,
    test: Rows | None = None,
    label: str | None = None,
    seed: int = 0,
) -> Fidelity:
    """Compare synthetic rows with the rows that they were learned from, and with others of the same origin.

    Parameters
    ----------
    train, synthetic : Rows
        Read side by side with the others.
    holdout : Rows, optional
        Real rows that the generator never saw: to see whether it copies.
    test : Rows, optional
        Real rows that the label is predicted of; the holdout rows by default.
    label : str, optional
        A column to predict.
    seed : int
        The seed of samples, folds and trees.

    Raises
    ------
    UsageError
        There are too few rows, or no such column.
    """
    _require_rows(train=train, synthetic=synthetic, holdout=holdout, test=test)
    if label is not None and label not in train.columns:
        raise UsageError(f"label {label!r} is no column to compare; expected one of: {', '.join(train.columns)}")
    shapes, pairs = column_shapes(train, synthetic), column_pairs(train, synthetic)
    predicted = test if test is not None else holdout
    return Fidelity(
        shapes=shapes,
        pairs=pairs,
        quality=quality(shapes, pairs),
        distinguishability_train=distinguishability(train, synthetic, seed),
        distinguishability_holdout=None if holdout is None else distinguishability(holdout, synthetic, seed),
        usefulness=None
        if label is None or predicted is None
        else _usefulness(train, synthetic, predicted, label, seed),
        closeness=None if holdout is None else closeness(train, holdout, synthetic, seed),
        copied=copies(synthetic, train),
        recurring=repeated(train) if holdout is None else copies(holdout, train),
    )


def _usefulness(train: Rows, synthetic: Rows, test: Rows, label: str, seed: int) -> Usefulness:
    synthetic_value, real = (usefulness(rows, test, label, seed) for rows in (synthetic, train))
    return Usefulness(label, task(train, label), synthetic_value, real)


def _require_rows(**tables: Rows | None) -> None:
    for name, rows in tables.items():
        if rows is not None and len(rows) < FEWEST:
            raise UsageError(f"there are {len(rows)} {name} rows; expected at least {FEWEST}")


def finite(value: float | None) -> float | None:
    """Return a number as JSON has it: None if it is not finite."""
    return float(value) if value is not None and np.isfinite(value) else None
