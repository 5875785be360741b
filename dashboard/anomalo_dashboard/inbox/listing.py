"""The list of rows, most anomalous first: a click anywhere on a row shows it, boxes choose several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from anomalo.workspace.reviews import Review
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting
from anomalo_dashboard.data import Mask, Rows
from anomalo_dashboard.images import pictures
from anomalo_dashboard.inbox import cursor, filters
from anomalo_dashboard.security.literal import literal, plain_table

HEIGHT = 560
_DRAWN = "_list_drawn"
"""The key of the list that was drawn last."""


def show(
    run: RunRecord, scores: data.Scores, here: Rows, at: int, alert: Mask, said: Mapping[int, Review], title: str
) -> list[int]:
    """Show one page of the list, and return the rows whose boxes are ticked.

    Parameters
    ----------
    here : int [k]
        The rows of the page.
    at : int
        Which of them is in view.
    title : str
        The name of the score and its unit.
    """
    table = scores.table(here, alert)
    table = table.assign(reasons=table["reasons"].fillna("not explained"), state=filters.states_of(said, here))
    shown = plain_table(table)
    images = pictures.of_images(run)
    if images:
        shown["image"] = pictures.thumbnails(run, here)
    # The names of an identifier and of its column may be of any length; the row number is then less needed.
    first, rest = (["row"], ["score"]) if scores.id is None else ([str(shown.columns[2])], ["row", "score"])
    key = f"rows {run.id} {here[0]} {len(here)}"
    _mark(key, at, first[0])
    st.session_state[_DRAWN] = key
    chosen = st.dataframe(
        shown,
        hide_index=True,
        height=min((pictures.SMALL + 6 if images else 35) * len(here) + 38, HEIGHT),
        row_height=pictures.SMALL + 6 if images else None,
        column_order=["rank", *(["image"] if images else []), *first, "p_value", "state", "reasons", *rest],
        on_select=lambda: _clicked(key, here),
        selection_mode=["multi-row", "single-cell"],
        key=key,
        column_config=_columns(shown, title),
        alt="Rows, most anomalous first",
    )
    return [int(here[row]) for row in chosen.selection.rows if row < len(here)]


def _mark(key: str, at: int, column: str) -> None:
    """Draw a frame around a cell of the row in view: the grid's cursor follows the keys `j` and `k`."""
    state: dict[str, Any] = st.session_state.get(key) or {"selection": {"rows": [], "columns": []}}
    selection = state["selection"]
    if [row for row, _ in selection.get("cells", [])] != [at]:
        st.session_state[key] = {"selection": {"rows": list(selection["rows"]), "columns": [], "cells": [(at, column)]}}


def _clicked(key: str, here: Rows) -> None:
    """Show the row of the cell that was clicked; called before the page is drawn again.

    The grid reports a mark that was set here as if it were a click, and may do so after the next page was asked for:
    that is no click, and must not lead back to its own page.
    """
    cells = st.session_state[key]["selection"]["cells"]
    if st.session_state.get(_DRAWN) == key and cells and cells[0][0] < len(here):
        cursor.go(int(here[cells[0][0]]))


def _columns(table: Any, title: str) -> dict[str, Any]:
    return {
        "rank": st.column_config.NumberColumn("Rank", format="localized", width=60, help="1 is the most anomalous row"),
        "image": st.column_config.ImageColumn("Image", width=80, help="As the model sees it; a click enlarges it"),
        "row": st.column_config.NumberColumn("Row", format="%d", width=70, help="Counted from 0 in the table"),
        "score": st.column_config.NumberColumn(
            "Score",
            format=formatting.decimals(table["score"]),
            width=75,
            help=f"{literal(title)}; higher = more anomalous",
        ),
        "p_value": st.column_config.NumberColumn(
            "p-value",
            format=formatting.decimals([table["p_value"].min()], 2),
            width=80,
            help="Share of normal rows with an anomaly score at least this high",
        ),
        "state": st.column_config.TextColumn("State", width=130, help="What analysts say of the row"),
        "reasons": st.column_config.TextColumn("Reasons", width=420),
    }
