"""Write numbers, times, intervals and reasons as text."""

from __future__ import annotations

import math
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


def intervals(cells: pd.DataFrame, kinds: Mapping[str, str], units: Mapping[str, Unit]) -> list[str]:
    """Write the intervals of cells (`column`, `low`, `high`) in the format and the units of their columns."""
    return [
        interval_text(
            None if pd.isna(low) else low,
            None if pd.isna(high) else high,
            kinds.get(column, "number"),
            units.get(column, NO_UNIT),
        )
        for column, low, high in zip(cells["column"], cells["low"], cells["high"], strict=True)
    ]


def pairs(first: pd.Series, second: pd.Series) -> tuple[list[str | None], list[str | None]]:
    """Return the texts of cells and of what is beside them with the digits that distinguish them; None if missing."""
    texts = [apart(*(None if pd.isna(text) else text for text in pair)) for pair in zip(first, second, strict=True)]
    return [one for one, _ in texts], [other for _, other in texts]


def decimals(values: Iterable[float], digits: int = 4) -> str:
    """Return a printf format that shows the largest of `values` with this many digits.

    Examples
    --------
    >>> decimals([387.3, 94.1]), decimals([0.0123]), decimals([])
    ('%.1f', '%.5f', '%.1f')
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=100.0) or 1.0
    return f"%.{min(max(digits - 1 - math.floor(math.log10(largest)), 0), 9)}f"
