"""Rows that a user chose on the map: as a text in the URL, and as a filter of the page Alerts."""

from __future__ import annotations

import numpy as np
import streamlit as st

from anomalo.tabular import quantities
from anomalo_dashboard import data, navigation

KEY = "rows"
MOST = 1000
"""So many rows are in a URL, at most."""


def in_url(rows: data.Rows) -> str:
    """Return rows as they stand in the URL.

    Examples
    --------
    >>> in_url(np.array([9, 3, 5]))
    '3,5,9'
    """
    return ",".join(map(str, sorted(rows.tolist())))


def of_url(text: str | None, total: int) -> data.Mask | None:
    """Return which of so many rows the URL names; None if it names none that exists.

    Examples
    --------
    >>> of_url("3,x,99,-1, 0", 5).tolist(), of_url("", 5), of_url("7", 5)
    ([True, False, False, True, False], None, None)
    """
    parts = (part.strip() for part in (text or "").split(",")[:MOST])
    rows = [int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) < 19 and int(part) < total]
    if not rows:
        return None
    found = np.zeros(total, dtype=bool)
    found[rows] = True
    return found


def filter_box(total: int) -> data.Mask | None:
    """Say which rows were chosen on the map, with a button that shows the others too; returns them, None for all."""
    found = of_url(st.query_params.get(KEY), total)
    if found is None:
        return None
    said, button = st.columns([6, 1.6], vertical_alignment="center")
    said.info(f"Only {quantities.count(int(found.sum()), 'row')} chosen on the map", icon=":material/filter_alt:")
    if button.button("Show all rows", icon=":material/filter_alt_off:", width="stretch", key="not only chosen"):
        del st.query_params[KEY]
        navigation.first_page()
        st.rerun()
    return found
