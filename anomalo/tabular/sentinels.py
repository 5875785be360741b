"""Numbers and dates that probably stand for a missing cell: 999, -9999, 1900-01-01."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from anomalo.tabular import datetimes
from anomalo.tabular.column import Column
from anomalo.tabular.understanding.names import option
from anomalo.tabular.understanding.number_parts import Numbers

_NUMBERS = np.array([s * float("9" * k) for k in range(2, 10) for s in (-1, 1)] + [-1.0, -888.0, -8888.0, 8888.0])
_DATES = ("1899-12-30", "1900-01-01", "1970-01-01", "1800-01-01", "2099-12-31", "2999-12-31", "9999-12-31")
_MOMENTS = np.array([datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in _DATES])
_GAP = {"number": 0.5, "integer": 0.5, "datetime": 0.1}


def suspicious(column: Column, values: Numbers) -> tuple[float, ...]:
    """Return the repeated values that lie far outside the range of all others.

    Parameters
    ----------
    column : Column
        A measured column.
    values : float64 [n]
        Its parsed cells, nan where missing.
    """
    if column.kind == "datetime" and not any("%Y" in form or "%y" in form for form in (*column.date_format, "%Y")[:1]):
        return ()  # times of day and durations
    candidates = _MOMENTS if column.kind == "datetime" else _NUMBERS
    known = np.isin(values, candidates)
    rest = values[~known & ~np.isnan(values)]
    if not known.any() or len(rest) < 2:
        return ()
    found, counts = np.unique(values[known], return_counts=True)
    low, high = rest.min(), rest.max()
    gap = _GAP[column.kind] * (np.quantile(rest, 0.99) - np.quantile(rest, 0.01))
    outside = (found > high + gap) | (found < low - gap) | ((found < 0) & (low >= 0) & (column.kind != "datetime"))
    return tuple(float(value) for value in found[outside & (counts >= 2)])


def warn(column: Column, value: float, count: int) -> str:
    """Return the warning about one suspicious value, with the option that treats it as missing."""
    if column.kind == "datetime":
        text = str(datetimes.from_seconds(np.array([value]), (*column.date_format, "%Y-%m-%d")[0])[0])
    else:
        text = f"{value:.0f}"
    return (
        f"column {column.name!r}: {text} occurs {count:,} times, far from all other values; if it stands for a missing "
        f"cell, give {option('--missing', f'{column.name}={text}')}"
    )
