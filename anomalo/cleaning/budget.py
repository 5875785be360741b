"""How many cells of a column of free text may be suspected before the suspicion says that the column has no format."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn
from anomalo.cleaning.evidence import formats

Floats = NDArray[np.float64]

FREE = 0.5
"""A column with a larger share of distinct texts is free text, or an identifier."""
SHARE = 0.05
"""So many of its rows may be suspected."""
ALIKE = 10
"""Suspected cells of which so many, on average, share a format are a second source's format, not free text."""


def within_budget(column: CodedColumn, probability: Floats) -> Floats:
    """Return the probabilities [n] that cells are wrong, smaller where many cells of free text are odd in many ways.

    Cells that are suspected because the column has no common format are no errors; those that share one other format
    may be. Where the number of suspected cells exceeds the budget, all probabilities are scaled to it. The scale is the
    one of the reference's rows.
    """
    suspected = probability[: column.reference] > 0.5
    rows = len(suspected)
    if column.distinct <= FREE * rows or suspected.sum() <= SHARE * rows:
        return probability
    kinds = {formats.runs(column.short[code]) for code in np.unique(column.codes[: column.reference][suspected])}
    if suspected.sum() >= ALIKE * len(kinds):
        return probability
    return np.asarray(probability * SHARE * rows / suspected.sum())
