"""One table in detail: its scorings over time, and how each column of the last one differs from the training table."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.evaluation.comparison.wording import p_text
from anomalo.jobs.comparing.compare import read_comparison
from anomalo.jobs.comparing.histories import History
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard.histories import charts, lines
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal, plain, plain_table

FIRST = 8
"""Columns that are listed at first."""


def choose(tables: list[History], names: list[str]) -> History:
    """Let the user choose a table; the choice is in the URL."""
    if len(tables) == 1:
        st.header(f"{literal(names[0])} over time", anchor=False)
        return tables[0]
    st.header("One table over time", anchor=False)
    chosen = st.selectbox("Table", names, 0, plain, key="table", bind="query-params", width=300)
    return tables[names.index(chosen)]


def show(table: History) -> None:
    """Show the scorings of a table by one model, and what has changed in the last one."""
    name = table.names[0]
    if len(table.names) > 1:
        key = f"scored by {table.source}"
        name = st.selectbox("Scored by", table.names, 0, format_func=plain, key=key, width=300)
    runs = lines.shown(table, name)
    found = charts.frame(table, runs)
    left, middle, right = st.columns([2, 1.2, 1.2])
    left.altair_chart(charts.rates(found), alt="Alert rate of each run, and the interval in which it is expected")
    middle.altair_chart(charts.volumes(found), alt="Rows of each run")
    if found["missing"].notna().any():
        right.altair_chart(charts.missing(found), alt="Share of missing cells of each run")
    if found["low"].notna().any():
        st.caption(
            "Grey bars: the share of alerts that is expected where nothing has changed since the fit, in 95 % of "
            "tables. A rate outside of it is shown in orange."
        )
    drift(runs[-1])


def drift(run: RunRecord) -> None:
    """Show how the columns of a run differ from those of its model's training table."""
    try:
        found = read_comparison(run.path)
    except AnomaloError as error:
        failures.show(error)
        return
    if found is None:
        return
    title = f"Columns of {run.id} beside the training table: {found['summary']}"
    with st.expander(literal(title), expanded=found["differs"], icon=":material/difference:"):
        _columns(columns(found))


def _columns(table: pd.DataFrame) -> None:
    every = len(table) > FIRST and st.toggle(f"All {len(table)} columns", key="every_drift")
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    st.dataframe(
        plain_table(table if every else table.head(FIRST)),
        hide_index=True,
        placeholder="",
        column_config={
            "column": text("Column", width=150),
            "differs": st.column_config.CheckboxColumn("Differs", width=70),
            "change": text("Change", width=420),
            "distance": number("Distance", format="%.3f", width=85, help="Between the distributions: 0 is none"),
            "p_value": text("p-value", width=90, help="That both are of one distribution, for this column alone"),
            "before": number("Missing in training", format="%.1f %%", width=130),
            "now": number("Missing now", format="%.1f %%", width=110),
        },
        alt="Columns, the most different first",
    )


def columns(found: dict[str, Any]) -> pd.DataFrame:
    """Return the columns of a comparison, the most different ones first."""
    return pd.DataFrame(
        [
            {
                "column": each["column"],
                "differs": each["differs"],
                "change": each["change"] or each["left_out"],
                "distance": each["distance"],
                "p_value": p_text(each["p_value"]),
                "before": 100 * each["missing"][0],
                "now": 100 * each["missing"][1],
            }
            for each in found["columns"]
        ]
    )
