"""How many alerts the threshold in view gives in the last runs of the same model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting
from anomalo_dashboard.inbox.bar import Bar
from anomalo_dashboard.security.literal import plain_table
from anomalo_dashboard.security.uploads import name_of

MOST = 8
"""Runs that are listed, at most."""


def runs_of_model(run: RunRecord, runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the last runs that scored with the same model, in any version, newest first."""
    name = (run.model or "").partition("@")[0]
    return [other for other in runs if other.verb == "score" and (other.model or "").partition("@")[0] == name][:MOST]


def table(shown: Bar, runs: Sequence[RunRecord]) -> pd.DataFrame:
    """Return the runs of the model with their alerts at the threshold in view and as they were."""
    percent = shown.percent
    kind, _, value = shown.rule.partition("=")
    if percent is None and kind == "share":
        percent = 100 * float(value)
    lines = []
    for run in runs_of_model(shown.run, runs):
        then, rows = int(run.summary.get("alerts", 0)), int(run.summary.get("rows", 0))
        at = then if percent is None else alerts_at(run, percent)
        share = quantities.percent(at / rows) if rows and at is not None else ""
        lines.append(
            {
                "when": formatting.moment(run.created),
                "table": name_of(run.source),
                "version": (run.model or "").partition("@")[2],
                "rows": rows,
                "here": at,
                "share": share,
                "then": then,
            }
        )
    return pd.DataFrame(lines)


def show(shown: Bar, runs: Sequence[RunRecord]) -> None:
    """Show that table."""
    st.caption("Alerts at this threshold in the last runs of the model")
    st.dataframe(
        plain_table(table(shown, runs)),
        hide_index=True,
        height="content",
        placeholder="not found",
        column_order=["when", "rows", "here", "share", "table", "version", "then"],
        column_config={
            "when": st.column_config.TextColumn("Scored", width=135),
            "rows": st.column_config.NumberColumn("Rows", format="localized", width=75),
            "here": st.column_config.NumberColumn("Alerts", format="localized", width=65),
            "share": st.column_config.TextColumn("Share", width=70),
            "table": st.column_config.TextColumn("Table", width=120),
            "version": st.column_config.TextColumn("Version", width=65),
            "then": st.column_config.NumberColumn("In the run", format="localized", width=75),
        },
        alt="Alerts at this threshold in the last runs of the model",
    )


def alerts_at(run: RunRecord, percent: float) -> int | None:
    """Return how many rows of a run have at most this p-value, in percent; None if its files are damaged."""
    try:
        with data.files_of(run):
            return _alerts_at(run.path, run.created, percent)
    except AnomaloError:
        return None


@st.cache_data(max_entries=256)
def _alerts_at(folder: Path, created: str, percent: float) -> int:
    p_values = pq.read_table(folder / "scores.parquet", columns=["p_value"])["p_value"].to_numpy()
    return int(np.count_nonzero(p_values <= percent / 100))
