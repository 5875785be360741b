"""Cells, and the reasons that they are, as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc


def reason_texts(column: pa.Array, observed: pa.Array, expected: pa.Array) -> pa.StringArray:
    """Say of anomalous cells what they are and what was expected.

    Parameters
    ----------
    column, observed, expected : StringArray [n]
        The column's name and the cell's texts. A missing cell is null; so is what is expected where that is unknown.

    Examples
    --------
    >>> reason_texts(pa.array(["TSH", "age"]), pa.array(["145", None]), pa.array(["1.2", None])).to_pylist()
    ['TSH is 145, expected 1.2', 'age is missing']
    """
    differs = pc.fill_null(pc.not_equal(expected, pc.fill_null(observed, "\0")), False)
    tail = pc.if_else(differs, pc.binary_join_element_wise(", expected ", pc.fill_null(expected, ""), ""), "")
    return pc.binary_join_element_wise(column, " is ", pc.fill_null(observed, "missing"), tail, "")


def interval_text(low: float | None, high: float | None, kind: str) -> str:
    """Write an interval; one of datetimes is in seconds since 1970.

    Examples
    --------
    >>> interval_text(0.8, 31.25, "number"), interval_text(None, None, "category"), interval_text(0, 86400, "datetime")
    ('0.8 to 31.25', '', '1970-01-01 to 1970-01-02')
    """
    if low is None or high is None:
        return ""
    if kind == "datetime":
        return f"{_datetime_text(low)} to {_datetime_text(high)}"
    return f"{low:.4g} to {high:.4g}"


def _datetime_text(seconds: float) -> str:
    try:
        text = f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds)):%Y-%m-%d %H:%M:%S}"
    except OverflowError:
        return "before any date" if seconds < 0 else "after any date"
    return text.removesuffix(" 00:00:00")
