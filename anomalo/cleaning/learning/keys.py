"""What a cell has in common with others of its column, and of the whole table: the inputs of detection by labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.learning.marks import marks
from anomalo.cleaning.learning.rulebook import WeightedRule
from anomalo.cleaning.learning.ways.known import OF_ONE_TEXT

Floats = NDArray[np.float64]
Key = tuple[str, ...]
"""A kind of `SCALES`, and what it is of."""

SCALES = {
    "column": 3.0, "column odds": 0.5, "rule": 1.5, "other": 0.5,
    "text": 1.5, "empty": 1.5, "classes": 1.0, "runs": 1.0, "shape": 1.0, "signature": 1.0, "affix": 1.0,
    "first": 0.5, "last": 0.5, "character": 1.0, "length": 0.5, "number": 0.7, "repeats": 0.3,
}  # fmt: skip
"""The standard deviation of the prior of each kind of weight in one column."""
COLUMN, ODDS = ("column", ""), ("column odds", "")
FEW = 50
"""Another column of so few distinct texts is looked at, too."""


def keys(table: CodedTable, row: int, column: CodedColumn, rules: Sequence[WeightedRule]) -> Iterator[Key]:
    """Yield what a cell has in common with others of its column.

    Parameters
    ----------
    table : CodedTable
        Its table.
    row : int
        Its row.
    column : CodedColumn
        Its column.
    rules : sequence of WeightedRule
        The column's; one that would change the cell is a key by its position.
    """
    yield COLUMN
    yield ODDS
    yield from marks(column.values[column.codes[row]])
    for at, rule in enumerate(rules):
        if _detects(rule) and rule.rule.outputs(table, column, np.array([row]))[1][0] is not None:
            yield ("rule", str(at))
    for other in table.columns:
        text = other.values[other.codes[row]]
        if other is not column and (not text or len(other.values) <= FEW):
            yield ("other", other.name, text)


def _detects(rule: WeightedRule) -> bool:
    """Whether the cells that a rule would change are a kind of their own; those of one text are, anyway."""
    return rule.rule.way not in OF_ONE_TEXT


def weighted(
    table: CodedTable, column: CodedColumn, odds: Floats, weights: Mapping[Key, float], rules: Sequence[WeightedRule]
) -> Floats:
    """Return the sum of the weights of each cell's keys [n].

    Parameters
    ----------
    table : CodedTable
        The cells.
    column : CodedColumn
        Which of its columns.
    odds : float array [n]
        The log-odds of its cells without labels.
    weights : mapping of key to float
        The column's; 0 for other keys.
    rules : sequence of WeightedRule
        The column's.
    """
    total = weights.get(COLUMN, 0.0) + weights.get(ODDS, 0.0) * odds
    total = total + _by_text(column, [sum(weights.get(mark, 0.0) for mark in marks(text)) for text in column.values])
    for at, rule in enumerate(rules):
        weight = weights.get(("rule", str(at)), 0.0)
        if weight:
            position, texts = rule.rule.outputs(table, column)
            total += weight * np.array([text is not None for text in texts])[position]
    for other in table.columns:
        if other is not column:
            total += _by_text(other, [weights.get(("other", other.name, text), 0.0) for text in other.values])
    return np.asarray(total)


def _by_text(column: CodedColumn, values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)[column.codes]
