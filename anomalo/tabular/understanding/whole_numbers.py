"""Columns of whole numbers: which are measures, codes, years, dates, or ids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular.cells import Cells
from anomalo.tabular.column import Column
from anomalo.tabular.understanding import names
from anomalo.tabular.understanding.measured import Measure, dates_as_numbers
from anomalo.tabular.understanding.names import option
from anomalo.tabular.understanding.sample import Sample
from anomalo.tabular.understanding.texts import FEW_ROWS, NEAR_UNIQUE

_FEW = 12
_ENOUGH = 50
_SPARSE = 1.5
_RARE = 0.02
_YEARS = (1500, 2100)


def of_texts(found: Measure, sample: Sample) -> Measure:
    """Return a column of whole numbers of a text file as what they are."""
    column = found.column
    values = sample.numbers(column.numbers)
    if _consecutive(values, sample) and not _are_years(column, values):
        note = "its values count the rows one by one, so they say nothing about a row"
        return Measure(replace(column, kind="identifier", note=note, why="whole numbers that count the rows"))
    seen = ~np.isnan(values)
    return _named(found, values[seen], sample.counts[seen])


def of_type(column: Column, observed: pa.Array, cells: Cells) -> Measure:
    """Return a typed column of integers as what they are; `observed` are those that are not null."""
    ends = pc.min_max(observed).as_py()
    if ends["min"] >= 19_000_101 and ends["max"] <= 21_001_231:
        dates = dates_as_numbers(column, Sample.of(cells))
        if dates:
            return dates
    said = names.says_code(column.name) or names.says_year(column.name)
    if not said and pc.count_distinct(observed).as_py() > _FEW:
        return Measure(column)
    counted = pc.value_counts(observed)
    values = counted.field(0).to_numpy(zero_copy_only=False).astype(np.float64)
    return _named(Measure(column), values, counted.field(1).to_numpy(zero_copy_only=False))


def _named(found: Measure, values: NDArray[np.float64], counts: NDArray[np.intp]) -> Measure:
    """Return what distinct whole numbers [k] are by the column's name, if it says so."""
    column, total = found.column, int(counts.sum())
    if _are_years(column, values):
        return replace(found, column=replace(column, why="years"))
    word = names.says_code(column.name)
    as_integer = option("--kind", f"{column.name}=integer")
    if word is None or values.min() < 0 or len(values) < 2:
        return replace(found, warnings=(*found.warnings, *_maybe_codes(column, values, counts)))
    if total >= FEW_ROWS and len(values) >= NEAR_UNIQUE * total:
        note = f"{len(values):,} of {total:,} values are distinct: an identifier"
        return Measure(replace(column, kind="identifier", note=note, why=f"ids: the name says {word}"))
    said = (
        f"column {column.name!r} is taken for codes, not for numbers, since its name says {word}; "
        f"{as_integer} makes them numbers"
    )
    return Measure(replace(column, kind="category", why=f"codes: the name says {word}"), (said,))


def _are_years(column: Column, values: NDArray[np.float64]) -> bool:
    said = names.says_year(column.name)
    return said and bool(np.nanmin(values) >= _YEARS[0] and np.nanmax(values) <= _YEARS[1])


def _maybe_codes(column: Column, values: NDArray[np.float64], counts: NDArray[np.intp]) -> list[str]:
    """Return a hint if few whole numbers with irregular gaps occur, as codes do."""
    if not 3 < len(values) <= _FEW or counts.sum() < _ENOUGH or values.min() < 0:
        return []
    gaps = np.diff(np.sort(values))
    width = (values.max() - values.min()) / gaps.min() + 1
    growing = len(values) > 4 and bool(np.all(gaps[1:] >= gaps[:-1]))  # as 1, 2, 4, 8, 16 or 0, 1, 5, 10, 50
    if growing or width < _SPARSE * len(values) or counts.min() < _RARE * counts.sum():
        return []
    listed = ", ".join(f"{value:.0f}" for value in np.sort(values)[:4])
    hint = option("--kind", f"{column.name}=category")
    return [f"column {column.name!r} has few different numbers ({listed}, …); if they are codes, give {hint}"]


def _consecutive(values: NDArray[np.float64], sample: Sample) -> bool:
    """Whether whole numbers [k] count the rows, in whatever order these are."""
    rows = len(sample.index)
    if rows < FEW_ROWS or len(values) != rows or sample.total != rows or values.max() - values.min() != rows - 1:
        return False
    return len(np.unique(values)) == rows
