"""The alerts for which no repair was found, and the rule of the search."""

from __future__ import annotations

import pandas as pd
import pyarrow.compute as pc
import streamlit as st

from anomalo.jobs.imputing.search_rule import search_rule
from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting
from anomalo_dashboard.security.literal import literal, plain_table

SHOWN = 1000
"""So many rows are listed."""


def rule(run: RunRecord) -> str:
    """Return the rule of a run's search as Markdown."""
    facts = run.summary
    return literal(search_rule(facts["most"], formatting.threshold(facts["threshold"])))


def show(run: RunRecord) -> None:
    """Say how many alerts have no repair, and why."""
    facts = run.summary
    without = facts["alerts"] - facts["repaired"]
    if not without:
        return
    title = f"Why {quantities.count(without, 'alert')} {'has' if without == 1 else 'have'} no repair"
    with st.expander(title, icon=":material/help:"):
        st.markdown(rule(run))
        lines = data.repairs(run)
        rows = lines.filter(pc.invert(lines["column"].is_valid())).slice(0, SHOWN).to_pandas()
        scores = formatting.decimals(pd.concat([rows["score_before"], rows["score_after"]]))
        names = [name for name in rows.columns[:2] if name != "column"]
        st.dataframe(
            plain_table(rows[[*names, "score_before", "score_after"]]),
            hide_index=True,
            height="content" if len(rows) < 8 else 280,
            column_config={
                "row": st.column_config.NumberColumn("Row", format="%d", help="Counted from 0"),
                "score_before": st.column_config.NumberColumn("Score", format=scores),
                "score_after": st.column_config.NumberColumn("Lowest score found", format=scores),
            },
            alt="Alerts without a repair",
        )
