"""What broken rules say of a batch: the surprisal of the cells they report, and what these cells should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.rules.cells import Mask, Numbers, Writer, take
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns
from anomalo.tabular.formatting import render_numbers
from anomalo.tabular.schema import Schema

Surprisal = NDArray[np.float32]


def surprisal(rules: Sequence[Rule], columns: Columns, names: Sequence[str]) -> Surprisal | None:
    """Return the surprisal of cells that break rules, float32 [n, columns] in nats; None if no cell does.

    A cell that breaks several has the largest; see `Rule.surprisal`.

    Parameters
    ----------
    rules : sequence of Rule
        Those of the training rows.
    columns : Columns [n]
        A batch.
    names : sequence of str
        The columns of the result.
    """
    found: Surprisal | None = None
    for rule, broken in _broken(rules, columns):
        found = np.zeros((columns.rows, len(names)), dtype=np.float32) if found is None else found
        at = names.index(rule.target)
        found[:, at] = np.where(broken, np.maximum(found[:, at], np.float32(rule.surprisal)), found[:, at])
    return found


def expectations(rules: Sequence[Rule], columns: Columns, schema: Schema) -> dict[tuple[int, str], tuple[str, float]]:
    """Return what cells that break a rule should be, by row and column: as a text, and as a number if it is known.

    Where a cell breaks several rules it is the one with the largest surprisal.
    """
    found: dict[tuple[int, str], tuple[str, float]] = {}
    most: dict[tuple[int, str], float] = {}
    write = writer(schema)
    for rule, broken in _broken(rules, columns):
        rows = np.flatnonzero(broken)
        part = take(columns, rows)
        for row, text, value in zip(rows.tolist(), rule.expected(part, write), rule.exact(part).tolist(), strict=True):
            if rule.surprisal > most.get((row, rule.target), 0.0):
                most[row, rule.target] = rule.surprisal
                found[row, rule.target] = text, value
    return found


def writer(schema: Schema) -> Writer:
    """Return what writes numbers of a column in its format."""

    def write(name: str, values: Numbers) -> list[str]:
        column = schema.column(name)
        whole = bool((values == np.round(values)).all())
        texts = render_numbers(column, values, pa.string(), whole).to_pylist()
        return ["" if text is None else str(text) for text in texts]

    return write


def _broken(rules: Sequence[Rule], columns: Columns) -> Iterator[tuple[Rule, Mask]]:
    """Yield the rules that rows break, and which rows."""
    for rule in rules:
        if all(name in columns.values for name in rule.columns):
            broken = rule.broken(columns)
            if broken.any():
                yield rule, broken
