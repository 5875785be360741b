"""Who did what in the workspace, the latest change first."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import formatting
from anomalo_dashboard.navigation import workspace
from anomalo_dashboard.security.literal import plain_table

LATEST = 200
"""So many changes are listed; `anomalo runs --activity N` has more."""


def show() -> None:
    """Show the latest changes."""
    changes = Workspace(workspace()).activity(LATEST)
    if not changes:
        return
    st.header("Activity", anchor=False)
    lines = [change.to_json() | {"created": formatting.moment(change.created)} for change in changes]
    st.dataframe(
        plain_table(pd.DataFrame(lines)),
        hide_index=True,
        height=min(35 * len(lines) + 38, 395),
        column_config={
            "created": st.column_config.TextColumn("When", width=150),
            "who": st.column_config.TextColumn("Who", width=150),
            "action": st.column_config.TextColumn("What", width=110),
            "subject": st.column_config.TextColumn("Of", width=200),
            "details": st.column_config.TextColumn("Details", width=420),
        },
        alt="Who did what, newest first",
    )
