"""Which suggestions are listed: by state, column, row, value and probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st
from numpy.typing import NDArray

from anomalo.workspace.decisions import WHAT, Decided
from anomalo_dashboard import navigation
from anomalo_dashboard.security.literal import plain

PAGE = "fill_page"
"""The key of the page's number."""
STATES = (*WHAT, "all")
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Filter:
    """What the user chose.

    Attributes
    ----------
    column, row : str or None, int or None
        The column and the row; None: any.
    text : str
        What the suggested value contains, in any case of letters.
    least : float
        The least probability of the value, 0 to 1; those without one are listed at 0 only.
    """

    column: str | None = None
    row: int | None = None
    text: str = ""
    least: float = 0.0

    def matching(self, suggestions: pa.Table) -> Mask:
        """Return which suggestions [n] it leaves."""
        found = np.ones(len(suggestions), dtype=np.bool_)
        if self.column is not None:
            found &= _mask(pc.equal(suggestions["column"].cast(pa.string()), self.column))
        if self.row is not None:
            found &= suggestions["row"].to_numpy() == self.row
        if self.text:
            found &= _mask(pc.match_substring(suggestions["after"], self.text, ignore_case=True))
        if self.least:
            found &= _mask(pc.greater_equal(suggestions["probability"], self.least))
        return found


def _mask(found: pa.ChunkedArray) -> Mask:
    return np.asarray(pc.fill_null(found, False).to_numpy())


def state_box() -> str:
    """Let the user choose a state; returns one of `STATES`."""
    chosen = st.segmented_control(
        "State",
        STATES,
        default="undecided",
        required=True,
        format_func=str.capitalize,
        key="decision",
        **navigation.filter_of(PAGE),
        label_visibility="collapsed",
    )
    return str(chosen or "undecided")


def boxes(suggestions: pa.Table) -> Filter:
    """Let the user filter suggestions."""
    probable = suggestions["probability"].null_count < len(suggestions)
    filtering = navigation.filter_of(PAGE)
    column_box, row_box, text_box, least_box = st.columns([2, 1.2, 2, 1.4], vertical_alignment="bottom")
    names = sorted(pc.unique(suggestions["column"].cast(pa.string())).to_pylist())
    column = column_box.selectbox(
        "Column", names, None, plain, key="fill_column", **filtering, placeholder="any column"
    )
    row = row_box.number_input("Row", 0, None, None, 1, key="fill_row", **filtering, placeholder="any")
    text = text_box.text_input("Suggested value", key="fill_text", **filtering, type="search", live=True)
    least = 0
    if probable:
        tip = "Only cells whose value is at least so probable; cells without a probability are left out"
        least = least_box.number_input("Probability from (%)", 0, 100, 0, 5, key="fill_least", **filtering, help=tip)
    return Filter(column, row, text or "", least / 100)


def listed(suggestions: pa.Table, decided: Decided, state: str, chosen: Filter) -> NDArray[np.int64]:
    """Return the lines that are in a state and that a filter leaves."""
    found = chosen.matching(suggestions)
    if state != "all":
        found &= decided.state == STATES.index(state)
    return np.flatnonzero(found)
