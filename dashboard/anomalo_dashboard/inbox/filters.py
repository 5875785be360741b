"""The filters of the list of alerts: by text, reason, state, assignee, and the value of any column."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import streamlit as st

from anomalo.workspace.reviews import STATES, Review
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, navigation
from anomalo_dashboard.data import Mask, Rows
from anomalo_dashboard.images import pictures
from anomalo_dashboard.security.literal import plain

COLUMN, VALUE = "where", "value"
_BOUND = re.compile(r"\s*([<>])\s*(\S+)\s*")
MISSING = "missing"


@dataclass(frozen=True)
class Filters:
    """What the user chose; None and empty texts filter nothing."""

    text: str
    reason: str | None
    state: str | None
    show: str | None
    assignee: str | None
    column: str | None
    value: str

    def rows(self, run: RunRecord, scores: data.Scores, alert: Mask, said: Mapping[int, Review]) -> Mask:
        """Return which rows of the run match, bool [n]."""
        found = scores.matching(self.text, self.reason)
        if self.show == "alerts":
            found &= alert
        if self.state is not None:
            found &= in_state(said, self.state, len(alert))
        if self.assignee is not None:
            found &= _of(rows=[row for row, review in said.items() if review.assignee == self.assignee], n=len(alert))
        if self.column is not None and self.value.strip():
            found &= _of(rows=with_value(run, self.column, self.value), n=len(alert))
        return found


def boxes(run: RunRecord, scores: data.Scores, said: Mapping[int, Review]) -> Filters:
    """Show the filters."""
    text, state, show, more = st.columns([2.6, 1.7, 1.9, 1.3], vertical_alignment="bottom")
    filtering = navigation.filter_of("page")
    found = text.text_input(
        "Search",
        key="text",
        **filtering,
        type="search",
        live=True,
        placeholder="search ids and reasons",
        label_visibility="collapsed",
    )
    in_this = state.selectbox(
        "State",
        STATES,
        None,
        str.capitalize,
        key="state",
        **filtering,
        placeholder="any state",
        label_visibility="collapsed",
    )
    shown = show.segmented_control(
        "Show",
        ["alerts", "all rows"],
        default="alerts",
        required=True,
        key="show",
        **filtering,
        label_visibility="collapsed",
    )
    with more.popover("More filters", icon=":material/filter_alt:", width="stretch"):
        reason = st.selectbox(
            "Column in the reasons",
            list(scores.columns),
            None,
            plain,
            key="column",
            **filtering,
            placeholder="any column",
        )
        people = sorted({review.assignee for review in said.values()} - {""})
        assignee = st.selectbox("Assignee", people, None, plain, key="assignee", **filtering, placeholder="anybody")
        column = st.selectbox(
            "Column with the value", kept_columns(run), None, plain, key=COLUMN, **filtering, placeholder="any column"
        )
        value = st.text_input(
            "Value",
            key=VALUE,
            **filtering,
            placeholder="a value, > 5, < 5 or missing",
            help="Values are kept of the rows that the run explained: its alerts and its most anomalous rows. Others "
            "do not match.",
        )
    return Filters(found, reason, in_this, shown, assignee, column, value)


def kept_columns(run: RunRecord) -> list[str]:
    """Return the columns of the table whose values the run keeps."""
    path = run.path / "rows.parquet"
    with data.files_of(run):
        return pictures.without_files(run, pq.read_schema(path).names[1:]) if path.exists() else []


def with_value(run: RunRecord, column: str, value: str) -> Rows:
    """Return the rows whose value of a column is this one, or above or below a number, of those that are kept.

    Parameters
    ----------
    value : str
        A text; `missing`; or `>` or `<` and a number.
    """
    with data.files_of(run):
        rows, texts = _kept(run.path, run.created, column)
    bound = _BOUND.fullmatch(value)
    if bound is not None and _is_number(bound[2]):
        numbers, limit = pd.to_numeric(texts.to_pandas(), errors="coerce").to_numpy(), float(bound[2])
        return rows[np.flatnonzero(numbers > limit if bound[1] == ">" else numbers < limit)]
    sought = value.strip()
    same = pc.equal(texts, "" if sought.lower() == MISSING else sought).fill_null(sought.lower() == MISSING)
    return rows[np.flatnonzero(same.to_numpy(zero_copy_only=False))]


@st.cache_resource(max_entries=8)
def _kept(folder: Path, created: str, column: str) -> tuple[Rows, pa.Array]:
    table = pq.read_table(folder / "rows.parquet").combine_chunks()
    cells = table[table.column_names.index(column)] if column in table.column_names else None
    texts = pa.nulls(len(table), pa.string()) if cells is None else _text(cells)
    return table["row"].to_numpy(), texts


def _text(cells: pa.ChunkedArray) -> pa.Array:
    try:
        texts = cells.cast(pa.string())
    except pa.ArrowException:
        texts = pa.chunked_array([[None if cell is None else str(cell) for cell in cells.to_pylist()]], pa.string())
    return pc.utf8_trim_whitespace(texts).combine_chunks()


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _of(rows: Rows | list[int], n: int) -> Mask:
    found = np.zeros(n, dtype=bool)
    chosen = np.asarray(rows, dtype=np.intp)
    found[chosen[chosen < n]] = True
    return found


def in_state(said: Mapping[int, Review], state: str, rows: int) -> Mask:
    """Return which of so many rows are in a state; those that nobody has looked at are new."""
    found = np.full(rows, state == "new")
    for row, review in said.items():
        if row < rows:
            found[row] = review.state == state
    return found


def states_of(said: Mapping[int, Review], rows: Rows) -> list[str]:
    """Return the states of rows, and who looks after them."""
    reviews = [said.get(int(row), Review()) for row in rows]
    return [f"{review.state} ({review.assignee})" if review.assignee else review.state for review in reviews]
