"""Columns at a glance: how their cells are distributed, how many are missing, and what may be wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.pipeline.explaining.expected_cells import text
from anomalo.tabular.cells import is_plain, whole
from anomalo.tabular.column import MEASURED
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.parsing import as_array
from anomalo.tabular.quantities import count, percent
from anomalo.tabular.schema import Column, Schema

BINS = 12
"""Bars of a column, at most."""
MOSTLY = 0.5
"""A column is said to be missing from this share of the rows on."""
NEARLY_ALL = 0.995
"""A value is said to be in nearly all cells from this share on, and the values of a category to be all different."""


@dataclass(frozen=True)
class ColumnFacts:
    """A column at a glance.

    Attributes
    ----------
    name : str
        The column's.
    missing : float
        The share of its cells that are missing, from 0 to 1.
    bars : tuple of int
        Cells by value: of measured columns from the smallest to the largest, in bins of equal width between the 1st and
        the 99th percentile, the outermost with all that lies beyond; else of the most frequent values.
    warnings : tuple of str
        What may be wrong with it, in sentences without full stops.
    """

    name: str
    missing: float
    bars: tuple[int, ...]
    warnings: tuple[str, ...]


def column_facts(column: Column, schema: Schema, table: ParsedTable) -> ColumnFacts:
    """Return a column at a glance, in the rows of a table."""
    if column.role == "feature":
        values, unreadable = table.parse(column, schema.reading)
        wrong = 0 if unreadable is None else int(unreadable.sum())
        observed = as_array(values).drop_null()
        known = len(observed)
        bars = _bins(observed) if column.kind in MEASURED else _most_frequent(observed)
    else:
        cells, wrong = _written(column, whole(table.table.column(column.name)).drop_null()), 0
        known = len(cells)
        bars = _most_frequent(cells)
    missing = (table.rows - known - wrong) / max(table.rows, 1)
    return ColumnFacts(column.name, missing, bars, tuple(_warnings(column, missing, wrong, known, bars)))


def _written(column: Column, cells: pa.Array) -> pa.Array:
    """Return the cells of a column that no model reads, without those that hold nothing."""
    if column.kind == "empty":
        return cells[:0]
    texts = pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
    return cells.filter(pc.not_equal(cells, "")) if texts else cells


def _bins(values: pa.Array) -> tuple[int, ...]:
    numbers = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return ()
    low, high = np.percentile(numbers, [1, 99])
    if low == high:
        low, high = numbers.min(), numbers.max()
    if low == high:
        return (len(numbers),)
    counts = np.histogram(np.clip(numbers, low, high), BINS, (low, high))[0]
    return tuple(map(int, counts))


def _most_frequent(cells: pa.Array) -> tuple[int, ...]:
    if not is_plain(cells.type) or pa.types.is_null(cells.type):
        return ()
    counts = np.sort(pc.value_counts(text(cells)).field("counts").to_numpy())[::-1]
    return tuple(map(int, counts[:BINS]))


def _warnings(column: Column, missing: float, wrong: int, known: int, bars: tuple[int, ...]) -> list[str]:
    found = []
    if missing >= MOSTLY:
        found.append("all cells are missing" if missing == 1 else f"{percent(missing)} missing")
    if wrong:
        found.append(f"{count(wrong, 'cell')} cannot be read as {column.kind}")
    if column.role == "feature" and column.kind not in MEASURED and known > 1 and bars:
        if len(bars) > 1 and bars[0] >= NEARLY_ALL * known:
            found.append(f"{percent(bars[0] / known)} of the cells hold one value")
        elif bars[0] == 1:
            found.append("every value is there once: does it name the rows?")
    return found
