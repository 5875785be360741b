"""The profile of a table: from a sample of its rows, and what was counted of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from anomalo.errors import SchemaError
from anomalo.evaluation.comparison.cells import Read, read, require_kind
from anomalo.evaluation.comparison.profile import ColumnProfile, Profile
from anomalo.evaluation.comparison.tally import MOST_LEVELS, Counts
from anomalo.tabular.column import DROPPED, TEXT, Column, is_text_column
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema

MOST_CELLS, MOST_ROWS, FEWEST_ROWS = 500_000, 5_000, 500
"""Cells and rows of a sample that is stored, at most, and rows at least."""


def sample_rows(columns: int) -> int:
    """Return how many rows the stored sample of a table with so many columns has.

    Examples
    --------
    >>> sample_rows(20), sample_rows(200), sample_rows(10_000)
    (5000, 2500, 500)
    """
    return min(max(MOST_CELLS // max(columns, 1), FEWEST_ROWS), MOST_ROWS)


def compared_columns(schema: Schema) -> tuple[Column, ...]:
    """Return the columns that are compared: not the label, nor those that the user left out."""
    return tuple(column for column in schema.columns if column.role != "label" and column.note != DROPPED)


def profile(
    sample: ParsedTable, schema: Schema, rows: int | None = None, counted: Mapping[str, Counts] | None = None
) -> Profile:
    """Return the profile of a table.

    Parameters
    ----------
    sample : ParsedTable [n]
        A random sample of the table's rows, in their order.
    schema : Schema
        How cells are read: this table's, or that of the one to compare it with.
    rows : int, optional
        How many the table has; by default the sample is the table.
    counted : mapping of str to Counts, optional
        What was counted of all rows, by column; of others the shares in the sample are taken.
    """
    rows, counted, there = sample.rows if rows is None else rows, counted or {}, set(sample.names)
    columns = [
        _column(sample, column, schema, rows, counted.get(column.name))
        for column in compared_columns(schema)
        if column.name in there
    ]
    known = {column.name for column in schema.columns}
    return Profile(rows, schema, tuple(columns), tuple(name for name in sample.names if name not in known))


def _column(sample: ParsedTable, column: Column, schema: Schema, rows: int, counts: Counts | None) -> ColumnProfile:
    arrow = sample.table.schema
    storage = TEXT if is_text_column(arrow, column.name) else str(arrow.field(column.name).type)
    base = ColumnProfile(column.name, column.kind, storage)
    try:
        found = read(sample, column, schema.reading)
        require_kind(column, found)
    except SchemaError as error:
        return replace(base, problem=str(error))
    if counts is None:
        counts, counted = Counts(), sample.rows
        counts.see(column, found)
        scale = rows / max(sample.rows, 1)
        missing, unreadable = round(counts.missing * scale), round(counts.unreadable * scale)
    else:
        missing, unreadable, counted = counts.missing, counts.unreadable, rows
    if column.kind in ("category", "boolean", "constant") and not counts.levels:
        counts, counted = _with_values(counts, column, found), sample.rows
    elif column.kind == "datetime" and counts.latest is None:
        counts = _with_values(counts, column, found)
    levels = [level for level, _ in counts.levels.most_common()]
    return replace(
        base,
        missing=missing,
        unreadable=unreadable,
        levels=tuple(levels),
        counts=tuple(counts.levels[level] for level in levels),
        counted=counted,
        whole=counts.whole,
        earliest=counts.earliest,
        latest=counts.latest,
        repeated=None if counts.keys is None or counted < rows else counts.keys.repeated(),
        values=_recoded(found, levels),
    )


def _with_values(counts: Counts, column: Column, found: Read) -> Counts:
    """Return counts that lack a column's levels, or its first and last point in time, with those of the sample."""
    mine = Counts()
    mine.see(column, found)
    return replace(counts, levels=mine.levels, whole=mine.whole, earliest=mine.earliest, latest=mine.latest)


def _recoded(found: Read, levels: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return values as positions in these levels, where they are levels."""
    if not found.levels:
        return found.values
    position = {level: at for at, level in enumerate(levels[:MOST_LEVELS])}
    codes = np.array([position.get(level, len(levels)) for level in (*found.levels, "")], dtype=np.float64)
    missing = np.isnan(found.values)
    return np.where(missing, np.nan, codes[np.where(missing, len(found.levels), found.values).astype(np.intp)])
