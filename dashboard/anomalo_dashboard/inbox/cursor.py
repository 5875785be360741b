"""The row of the list that is shown beside it: it is in the URL, and keys and clicks move it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from anomalo_dashboard import data
from anomalo_dashboard.data import Rows

PARAMETER = "at"
_LEADS = "_row_leads"


def go(row: int) -> None:
    """Show another row of the list, and turn to its page; called before the page is drawn again.

    For the row that is in view already nothing is done.
    """
    if row == _requested():
        return
    st.query_params[PARAMETER] = str(row)
    st.session_state[_LEADS] = True


def turn(rows: Rows) -> None:
    """Turn to the page of the row that was chosen; call it before the pages' widget is drawn.

    A page that the user turned to leads instead: its first row is then shown.
    """
    found = np.flatnonzero(rows == _requested())
    if st.session_state.pop(_LEADS, False) and len(found):
        st.session_state["page"] = int(found[0]) // data.PAGE + 1


def position(here: Rows) -> int:
    """Return the position of the row in view among those of the page."""
    found = np.flatnonzero(here == _requested())
    at = int(found[0]) if len(found) else 0
    if not len(found):
        st.query_params[PARAMETER] = str(here[0])
    return at


def _requested() -> int:
    text = st.query_params.get(PARAMETER, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else -1
