"""The list that a row was opened from: previous and next go through it, filters and all."""

from __future__ import annotations

import numpy as np
import streamlit as st

from anomalo_dashboard import data

_LIST = "_listed_rows"


def remember(run: str, rows: data.Rows, scores: data.Scores) -> None:
    """Keep the rows that a page lists, in their order, for the page Row; the list of all rows needs no keeping."""
    st.session_state[_LIST] = None if len(rows) == len(scores.order) else (run, rows)


def around(run: str, row: int, scores: data.Scores) -> tuple[data.Rows, int, bool]:
    """Return the list that a row is in, its position there, and whether that is a part of all rows.

    That is the list seen last, if it is of this run and has the row; else all rows, most anomalous first.
    """
    kept = st.session_state.get(_LIST)
    if kept is not None and kept[0] == run:
        at = np.flatnonzero(kept[1] == row)
        if len(at):
            return kept[1], int(at[0]), True
    return scores.order, int(scores.rank[row]), False
