"""What colours the points of the map: alerts, the first reason, the state, or the cells of a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import streamlit as st

from anomalo.workspace.reviews import STATES, Review
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data
from anomalo_dashboard.charts import ANOMALOUS, MARK, NORMAL
from anomalo_dashboard.images import pictures
from anomalo_dashboard.mapping.codes import KEPT
from anomalo_dashboard.security.literal import plain

ALERT, REASON, STATE = "alert", "first reason", "state"
GROUPS = ("#2f8f9d", "#d9622b", "#7a6fb0", "#8a9a3b", "#b0567a", "#5b7fc7", "#b58a2a")
OTHER, NONE, MISSING = "other", "not explained", "missing"
MEASURED = ("number", "integer", "datetime", "date", "duration", "time")
READABLE = 0.5
"""The share of known cells that must be numbers for a scale of colours."""


@dataclass(frozen=True)
class Colours:
    """The colours of points.

    Attributes
    ----------
    title : str
        What they stand for.
    values : list
        One for each point: a text, or where `levels` is empty a number or None.
    levels : list of str
        The texts in the order of the legend.
    colours : list of str
        One for each level.
    """

    title: str
    values: list[Any]
    levels: list[str]
    colours: list[str]


def by_alert(alert: data.Mask) -> Colours:
    """Return the colours of alerts and of other rows."""
    return Colours("", np.where(alert, "alerts", "other rows").tolist(), ["other rows", "alerts"], [NORMAL, ANOMALOUS])


def by_state(rows: data.Rows, said: Mapping[int, Review]) -> Colours:
    """Return the colours of what analysts say of rows."""
    values = [said.get(int(row), Review()).state for row in rows]
    return Colours("State", values, list(STATES), [MARK, *GROUPS[: len(STATES) - 1]])


def by_reason(run: RunRecord, rows: data.Rows) -> Colours:
    """Return the colours of the columns that contribute most to the rows' scores."""
    first = first_reasons(run)
    return _by_level("First reason", [first.get(int(row)) for row in rows], NONE)


def by_column(run: RunRecord, rows: data.Rows, column: str) -> Colours:
    """Return the colours of the cells of a column, of the rows that the run has kept."""
    cells, kind = cells_of(run, column), data.column_kinds(run.model).get(column, "")
    found = [cells.get(int(row)) for row in rows]
    numbers = _numbers(found) if kind in MEASURED else None
    if numbers is not None:
        return Colours(column, numbers, [], [])
    kept = np.isin(rows, list(cells))
    return _by_level(
        column,
        [value if value is not None or not here else MISSING for value, here in zip(found, kept, strict=True)],
        "not kept",
    )


def columns(run: RunRecord) -> list[str]:
    """Return the columns of the table whose cells the run has kept."""
    path = run.path / KEPT
    names = [name for name in pq.read_schema(path).names if name != "row"] if path.is_file() else []
    return pictures.without_files(run, names)


def _by_level(title: str, values: Sequence[Any], absent: str) -> Colours:
    """Give the most frequent values a colour each, and all others one; `absent` stands for None."""
    known = pd.Series([str(value) for value in values if value is not None], dtype=object)
    levels = known.value_counts().index[: len(GROUPS)].tolist()
    more = known.nunique() > len(levels)
    shown = [absent if value is None else str(value) if str(value) in levels else OTHER for value in values]
    names = [*levels, *([OTHER] if more else []), *([absent] if None in values else [])]
    colours = [*GROUPS[: len(levels)], *([NORMAL] if more else []), *([MARK] if None in values else [])]
    return Colours(title, [plain(value) for value in shown], [plain(name) for name in names], colours)


def _numbers(values: Sequence[Any]) -> list[float | None] | None:
    """Return numbers, points in time as years; None if the values are mostly something else."""
    texts = pd.Series(values, dtype=object)
    found = pd.to_numeric(texts, errors="coerce")
    known = texts.notna().sum()
    if found.notna().sum() < READABLE * known or not known:
        times = pd.to_datetime(texts, errors="coerce", utc=True, format="mixed")
        if times.notna().sum() < READABLE * known or not known:
            return None
        found = (times.dt.year + (times.dt.day_of_year - 1) / 366).astype(float)
    return [None if pd.isna(value) else float(value) for value in found]


def cells_of(run: RunRecord, column: str) -> dict[int, Any]:
    """Return the cells of a column, by row."""
    return _cells(run.path / KEPT, run.created, column)


@st.cache_data(max_entries=32, show_spinner=False)
def _cells(path: Path, created: str, column: str) -> dict[int, Any]:
    table = pq.read_table(path, columns=["row", column])
    return dict(zip(table["row"].to_pylist(), table[column].to_pylist(), strict=True))


def first_reasons(run: RunRecord) -> dict[int, str]:
    """Return the column that contributes most to the score of each explained row."""
    return _first_reasons(run.path / "scores.parquet", run.created)


@st.cache_data(max_entries=4, show_spinner="Reading the reasons")
def _first_reasons(path: Path, created: str) -> dict[int, str]:
    reasons = pq.read_table(path, columns=["reasons"])["reasons"].combine_chunks()
    reasons = pa.concat_arrays(reasons.chunks) if isinstance(reasons, pa.ChunkedArray) else reasons
    parents = pc.list_parent_indices(reasons).to_numpy()
    names = pc.struct_field(pc.list_flatten(reasons), "column").to_numpy(zero_copy_only=False)
    rows, first = np.unique(parents, return_index=True)
    return dict(zip(rows.tolist(), names[first].tolist(), strict=True))
