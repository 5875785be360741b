"""The versions of one saved model side by side: facts, metrics, and the error of imputation of each column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from anomalo.workspace.workspace import ModelRecord, RunRecord
from anomalo_dashboard import data, formatting
from anomalo_dashboard.images import pictures
from anomalo_dashboard.security.literal import plain_table
from anomalo_dashboard.security.uploads import name_of

COMPARED = 5
"""Versions whose columns are compared: the latest ones."""
METRICS = {
    "skill": ("Skill", "How much less the error on hidden cells is than that of means and most frequent levels"),
    "validation_loss": ("Loss", "The least loss on held-out rows in the training"),
    "auroc": ("AUROC", "Of the training rows' scores, each by models that never saw the row, against the label"),
    "ap": ("AP", "Average precision of the same scores"),
}


def line(record: ModelRecord, runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return the line of a version; `runs` are all runs, newest first."""
    lineage = record.summary.get("lineage", {})
    scored = [run for run in runs if run.verb == "score" and run.model == record.reference]
    latest = scored[0].summary if scored else {}
    metrics = lineage.get("metrics", {})
    return {
        "version": record.version,
        "tags": formatting.tags(record),
        "threshold": record.threshold and formatting.threshold(record.threshold),
        "rate": 100 * latest["alerts"] / latest["rows"] if latest.get("rows") else None,
        "model": record.model,
        "fitted": formatting.moment(record.created),
        "rows": record.rows,
        "columns": None if pictures.learned_from_images(record) else record.columns,
        **{name: metrics.get(name) for name in METRICS},
        "calibrated": "yes" if lineage.get("options", {}).get("calibrate", "score" in latest) else "no",
        "runs": len(scored),
        "table": name_of(record.source),
    }


def show(versions: Sequence[ModelRecord], runs: Sequence[RunRecord]) -> None:
    """Show the versions of a model side by side, the latest first."""
    found = pd.DataFrame([line(record, runs) for record in versions])
    known = [name for name in METRICS if found[name].notna().any()]
    empty = [name for name in METRICS if name not in known] + [
        name for name in ("threshold", "columns") if not found[name].any()
    ]
    st.dataframe(
        plain_table(found.drop(columns=empty)),
        hide_index=True,
        placeholder="",
        height="content" if len(found) < 11 else 420,
        column_config={
            "version": st.column_config.NumberColumn("Version", format="%d", width=65),
            "tags": st.column_config.TextColumn("Tags", width=90),
            "threshold": st.column_config.TextColumn("Threshold", width=150, help="Saved with it, for new files"),
            "rate": st.column_config.NumberColumn(
                "Alerts", format="%.2f %%", width=75, help="Of the latest table that was scored with it"
            ),
            "model": st.column_config.TextColumn("Model", width=95),
            "fitted": st.column_config.TextColumn("Fitted at", width=140),
            "rows": st.column_config.NumberColumn("Rows", format="localized", width=75),
            "columns": st.column_config.NumberColumn("Columns", format="localized", width=72),
            **{
                name: st.column_config.NumberColumn(METRICS[name][0], format="%.4g", help=METRICS[name][1], width=65)
                for name in known
            },
            "calibrated": st.column_config.TextColumn(
                "Calibrated", width=82, help="Whether its p-values compare with the scores of the training rows"
            ),
            "runs": st.column_config.NumberColumn("Scored", format="localized", width=65, help="Tables scored with it"),
            "table": st.column_config.TextColumn("Fitted on"),
        },
        alt="Versions of the model side by side, the latest first",
    )
    if len(versions) > 1:
        _errors(versions[:COMPARED])


def _errors(versions: Sequence[ModelRecord]) -> None:
    """Show the errors of hidden cells of several versions side by side, where at least two have some."""
    tables = {f"version {record.version}": data.hidden_cells(record) for record in versions}
    known = {name: table.set_index("column")["error"] for name, table in tables.items() if not table.empty}
    if len(known) < 2:
        return
    with st.expander("Error of imputation of each column, by version", icon=":material/compare_arrows:"):
        compared = pd.DataFrame(known).reset_index(names="column")
        st.dataframe(plain_table(compared), hide_index=True, placeholder="", alt="Error of imputation by version")
