"""Write numbers, times, intervals and reasons as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.tabular.quantities import NO_UNIT, Unit
from anomalo.tabular.wording import interval_text, reason_texts
from anomalo.tabular.writing.digits import apart
from anomalo.workspace.records import ModelRecord


def sentence(text: str) -> str:
    """Begin a text with a capital letter.

    Examples
    --------
    >>> sentence("the rows have drifted; fit again"), sentence("")
    ('The rows have drifted; fit again', '')
    """
    return text[:1].upper() + text[1:]


def score(unit: str) -> str:
    """Name the anomaly score of a model with its unit.

    Examples
    --------
    >>> score("nats"), score("")
    ('Anomaly score (nats)', 'Anomaly score')
    """
    return f"Anomaly score ({unit})" if unit else "Anomaly score"


def threshold(rule: str) -> str:
    r"""Write the rule of a threshold in words: which rows are alerts.

    Examples
    --------
    >>> threshold("share=0.005"), threshold("fdr=0.05"), threshold("budget=100")
    ('p-value at most 0.5\xa0%', 'at most 5\xa0% false alerts', 'the 100 most anomalous rows')
    """
    kind, _, value = rule.partition("=")
    if kind == "budget":
        return "the most anomalous row" if value == "1" else f"the {int(value):,} most anomalous rows"
    percent = f"{100 * float(value):.6g}\N{NO-BREAK SPACE}%"
    return f"p-value at most {percent}" if kind == "share" else f"at most {percent} false alerts"


def moment(created: str) -> str:
    """Write a UTC time in the time zone of this machine.

    Examples
    --------
    >>> len(moment("2026-11-21T08:48:22+00:00"))
    16
    """
    return f"{datetime.fromisoformat(created).astimezone():%Y-%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """Write a duration.

    Examples
    --------
    >>> duration(0.234), duration(75), duration(7325)
    ('0.2 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def plain(value: Any) -> str:
    """Write a value without brackets and quotes.

    Examples
    --------
    >>> plain([64, 32]), plain(0.003), plain(None), plain(True)
    ('64, 32', '0.003', '', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def figure(value: float) -> str:
    """Write a number with four digits, of large ones all that are whole; tiny ones with an exponent.

    Examples
    --------
    >>> figure(134.912), figure(1985.4), figure(1234567.8), figure(0.0003162), figure(0.0), figure(-2.5), figure(3e-9)
    ('134.9', '1,985', '1,234,568', '0.0003162', '0', '-2.5', '3e-09')
    """
    if 0 < abs(value) < 1e-5 or not math.isfinite(value) or abs(value) >= 1e15:
        return f"{value:.4g}"
    places = math.floor(math.log10(abs(value))) if value else 0
    text = f"{value:,.{max(3 - places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def cell(value: Any) -> str:
    """Write a cell as it was read, without digits that nobody reads; empty if it is missing.

    Examples
    --------
    >>> cell("7.79026401763514"), cell(12345.5), cell(1985.0), cell(1985), cell(0.1 + 0.2), cell(2.5e-7), cell(6.02e23)
    ('7.79026', '12345.5', '1985', '1985', '0.3', '2.5e-07', '6.02e+23')
    >>> cell(None), cell(float("nan")), cell(True), cell(datetime(2026, 3, 1)), cell("$1,250.00"), cell("007")
    ('', '', 'yes', '2026-03-01', '$1,250.00', '007')
    """
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return plain(value)
    text = str(value).strip()
    if isinstance(value, datetime):
        return text.removesuffix(" 00:00:00")
    if isinstance(value, float):
        text = text.removesuffix(".0")
        shortened = apart(None, text)[1] or text
        return shortened.rstrip("0").rstrip(".") if "." in shortened and "e" not in shortened else shortened
    return apart(None, text)[1] or text


def reasons(rows: pa.Array, most: int = 3) -> pa.Array:
    """Write each row's first reasons as one text, for all rows at once; null where there is none.

    Examples
    --------
    >>> found = [{"column": "TSH", "observed": "145", "expected": "1.2"}, {"column": "age", "observed": None}]
    >>> reasons(pa.array([found, []])).to_pylist()
    ['TSH is 145, expected 1.2; age is missing', None]
    """
    first = pc.list_slice(rows, 0, most)
    cells = pc.list_flatten(first)
    column, observed, expected = (pc.struct_field(cells, name) for name in ("column", "observed", "expected"))
    texts = reason_texts(column, observed, expected)
    lengths = pc.list_value_length(first).fill_null(0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, texts), "; ")
    return pc.if_else(pa.array(lengths > 0), joined, None)


def intervals(
    cells: pd.DataFrame,
    kinds: Mapping[str, str],
    units: Mapping[str, Unit],
    beside: Iterable[tuple[str | None, str | None]] | None = None,
) -> list[str]:
    """Write the intervals of cells (`column`, `low`, `high`) in the format and the units of their columns.

    Parameters
    ----------
    beside : iterable of two str or None
        The value that each interval is around, and how it is written beside it: where that is rounded, the interval is
        rounded as much, outward, and so contains it.
    """
    decimals = [None] * len(cells) if beside is None else [decimals_of(*texts) for texts in beside]
    return [
        interval_text(
            None if pd.isna(low) else low,
            None if pd.isna(high) else high,
            kinds.get(column, "number"),
            units.get(column, NO_UNIT),
            most,
        )
        for column, low, high, most in zip(cells["column"], cells["low"], cells["high"], decimals, strict=True)
    ]


def decimals_of(exact: str | None, shown: str | None) -> int | None:
    """Return how many decimals a number has as it is shown; None where it is not rounded.

    Examples
    --------
    >>> decimals_of("1806.9234", "1806.92"), decimals_of("2.0001", "2"), decimals_of("1,806.7001", "1,807")
    (2, 0, 0)
    >>> decimals_of("3,50 EUR", "3,50 EUR"), decimals_of("1.23456e-9", "1.2e-9"), decimals_of(None, None)
    (None, 10, None)
    """
    if pd.isna(exact) or shown is None or exact == shown:
        return None
    if found := re.search(r"\d(?:\.(\d+))?[eE]([+-]?\d+)", shown):
        return max(len(found[1] or "") - int(found[2]), 0)
    found = re.search(r"\.(\d+)\D*$|,(\d{1,2}|\d{4,})\D*$", shown)
    return len(found[1] or found[2]) if found else 0


def pairs(first: pd.Series, second: pd.Series) -> tuple[list[str | None], list[str | None]]:
    """Return the texts of cells and of what is beside them with the digits that distinguish them; None if missing."""
    texts = [apart(*(None if pd.isna(text) else text for text in pair)) for pair in zip(first, second, strict=True)]
    return [one for one, _ in texts], [other for _, other in texts]


def wide(texts: Iterable[str], least: int = 85, most: int = 300) -> int:
    """Return the width in pixels of a column in which texts, up to a width, are not cut off.

    Examples
    --------
    >>> wide(["4", "2025-01-12 11:47:07"]), wide(["4"]), wide([])
    (168, 85, 85)
    """
    return min(max(8 * max(map(len, texts), default=0) + 16, least), most)


def decimals(values: Iterable[float], digits: int = 4) -> str:
    """Return a printf format that shows the largest of `values` with this many digits.

    Examples
    --------
    >>> decimals([387.3, 94.1]), decimals([0.0123]), decimals([])
    ('%.1f', '%.5f', '%.1f')
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=100.0) or 1.0
    return f"%.{min(max(digits - 1 - math.floor(math.log10(largest)), 0), 9)}f"


def tags(record: ModelRecord) -> str:
    """Return the tags of a version, or that it is retired."""
    return "retired" if record.retired else ", ".join(record.tags)
