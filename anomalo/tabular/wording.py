"""Cells, and the reasons that they are, as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.tabular.quantities import NO_UNIT, Unit, with_unit
from anomalo.tabular.writing.digits import LONG, apart, interval_digits


def reason_texts(column: pa.Array, observed: pa.Array, expected: pa.Array) -> pa.StringArray:
    """Say of anomalous cells what they are and what was expected, with the digits that distinguish the two.

    Parameters
    ----------
    column, observed, expected : StringArray [n]
        The column's name and the cell's texts. A missing cell is null; so is what is expected where that is unknown,
        and it is empty where a missing cell is expected.

    Examples
    --------
    >>> column, observed = pa.array(["TSH", "age", "mail"]), pa.array(["145", None, "none"])
    >>> reason_texts(column, observed, pa.array(["1.2", None, ""])).to_pylist()
    ['TSH is 145, expected 1.2', 'age is missing', 'mail is none, expected missing']
    """
    observed, expected = _apart(observed, expected)
    expected = pc.if_else(pc.equal(expected, ""), "missing", expected)
    differs = pc.fill_null(pc.not_equal(expected, pc.fill_null(observed, "\0")), False)
    tail = pc.if_else(differs, pc.binary_join_element_wise(", expected ", pc.fill_null(expected, ""), ""), "")
    return pc.binary_join_element_wise(column, " is ", pc.fill_null(observed, "missing"), tail, "")


def _apart(observed: pa.Array, expected: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return texts of cells with the digits that distinguish them; few cells have more."""
    long = pc.or_(*(pc.fill_null(pc.match_substring_regex(texts, LONG), False) for texts in (observed, expected)))
    if not pc.any(long).as_py():
        return observed, expected
    pairs = zip(observed.filter(long).to_pylist(), expected.filter(long).to_pylist(), strict=True)
    shown = zip(*(apart(*pair) for pair in pairs), strict=True)
    first, second = (pa.array(texts, pa.string()) for texts in shown)
    return pc.replace_with_mask(observed, long, first), pc.replace_with_mask(expected, long, second)


def interval_text(
    low: float | None, high: float | None, kind: str, unit: Unit = NO_UNIT, most: int | None = None
) -> str:
    """Write an interval, its ends rounded outward, with the column's unit; one of datetimes is in seconds since 1970.

    With `most` there are at most so many decimals; see `interval_digits`.

    Examples
    --------
    >>> interval_text(0.8, 31.25, "number"), interval_text(None, None, "category"), interval_text(0, 86400, "datetime")
    ('0.8 to 31.3', '', '1970-01-01 to 1970-01-02')
    >>> interval_text(12500, 2500000, "integer", ("$", "")), interval_text(0.5, 1.5, "number", ("", " kg"))
    ('$12500 to $2500000', '0.5 kg to 1.5 kg')
    """
    if low is None or high is None:
        return ""
    if kind == "datetime":
        return f"{moment_text(low)} to {moment_text(high)}"
    return " to ".join(with_unit(text, unit) for text in interval_digits(low, high, most))


def moment_text(seconds: float) -> str:
    """Write a point in time, given in seconds since 1970, UTC.

    Examples
    --------
    >>> moment_text(0), moment_text(90_061)
    ('1970-01-01', '1970-01-02 01:01:01')
    """
    try:
        text = f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds)):%Y-%m-%d %H:%M:%S}"
    except OverflowError:
        return "before any date" if seconds < 0 else "after any date"
    return text.removesuffix(" 00:00:00")
