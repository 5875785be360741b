"""Whether a table looks like points of series, so that the user can say so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.understanding.names import option

FEWEST = 50
"""Fewer rows look like nothing."""
ALIKE = 0.5
"""Numbers of a series have at least this autocorrelation from point to point."""
SERIES = 100
"""A column with more levels is not taken for the names of series."""

Codes = NDArray[np.intp]


def series_hint(columns: Columns, datetimes: list[str]) -> str | None:
    """Return a sentence with the options to try if the rows look like points of series; else None.

    They do if one column has dates and times, in order, of which few are equal within a series, and a number is mostly
    like the one before it.

    Parameters
    ----------
    datetimes : list of str
        The columns of dates and times.
    """
    if columns.rows < FEWEST or len(datetimes) != 1:
        return None
    times = np.asarray(columns.values[datetimes[0]], dtype=np.float64)
    if np.isnan(times).any() or (np.diff(times) < 0).any() or times[0] == times[-1]:
        return None
    numbers = {
        name: each for name, each in columns.values.items() if not isinstance(each, Texts) and name not in datetimes
    }
    for entity, series in _possible(columns):
        order = np.argsort(series, kind="stable")
        same = np.diff(series[order]) == 0
        if same.sum() < FEWEST or np.mean(np.diff(times[order])[same] > 0) < 0.9:
            continue
        for name, each in numbers.items():
            if _autocorrelation(np.asarray(each, dtype=np.float64)[order], same) >= ALIKE:
                options = option("--time", datetimes[0]) + (f" {option('--entity', entity)}" if entity else "")
                return (
                    f"the rows look like points of a series: {datetimes[0]!r} grows, and {name!r} is like the value "
                    f"before; to take them so: {options}"
                )
    return None


def _possible(columns: Columns) -> Iterator[tuple[str, Codes]]:
    """Yield columns that may name series, by the number of each row's; first none."""
    yield "", np.zeros(columns.rows, dtype=np.intp)
    for name, cells in columns.values.items():
        if isinstance(cells, Texts):
            merged = pc.fill_null(cells.distinct.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)
            codes = np.append(merged, -1)[cells.index].astype(np.intp)
            if codes.max() < SERIES and codes.min() >= 0:
                yield name, codes


def _autocorrelation(numbers: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return the correlation of numbers with those after them in the same series."""
    both = same & ~np.isnan(numbers[:-1]) & ~np.isnan(numbers[1:])
    first, second = numbers[:-1][both], numbers[1:][both]
    if len(first) < FEWEST or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
