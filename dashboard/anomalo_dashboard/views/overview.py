"""Overview: a line for each table with its alerts and drift over time, then all runs and models of the workspace."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from anomalo.jobs.comparing.histories import History, histories
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting, navigation, triage
from anomalo_dashboard.histories import activities, detail, lines
from anomalo_dashboard.security.literal import literal, plain_table
from anomalo_dashboard.security.uploads import name_of

PAGE_OF = {  # the page that shows a run of each verb
    "score": "alerts",
    "impute": "repairs",
    "repair": "repairs",
    "embed": "embedding_map",
    "augment": "synthesize",
}


def line(run: RunRecord, states: Mapping[str, int]) -> dict[str, object]:
    """Return the line of a run, whose reviewed rows are in these states, in the table of runs."""
    facts = run.summary
    scored, rows = run.verb == "score", facts.get("rows")
    if isinstance(rows, dict):  # of a comparison: the numbers of training, synthetic and other rows
        rows = rows["synthetic"]
    return {
        "run": run.id,
        "model": run.model,
        "table": name_of(run.source),
        "when": formatting.moment(run.created),
        "rows": rows,
        "alerts": facts.get("alerts") if scored else None,
        "rate": facts["alerts"] / rows if scored and rows else None,
        "right": triage.precision(states),
        "filled": sum(facts.get("filled", {}).values()) if run.verb == "impute" else None,
        "seconds": run.seconds,
        "open": PAGE_OF.get(run.verb, "").replace("_", " ").capitalize(),
    }


def watch(tables: list[History]) -> pd.DataFrame:
    """Show a line for each table, and one of them in detail."""
    st.header("Tables", anchor=False)
    found = lines.frame(tables)
    lines.show(found)
    scored = [table for table in tables if table.runs]
    if scored:
        names = found["name"].tolist()
        detail.show(detail.choose(scored, names[: len(scored)]))
    return found


st.title("Overview", anchor=False)
st.caption(f"Workspace {literal(navigation.workspace().name)}")
runs, models = data.runs(), data.models()
if not runs and not models:
    navigation.empty(
        "Nothing here yet", "This workspace has no models and no runs. Fit and score a table on the Start page."
    )

reviewed = triage.reviews().counts()
table = pd.DataFrame([line(run, reviewed.get(run.id, {})) for run in runs])
tables = histories(models, runs)
facts = st.columns(4)
facts[0].metric("Saved models", f"{len(models):,}", border=True)
facts[1].metric("Runs", f"{len(runs):,}", border=True)
facts[2].metric(
    "Rows scored", f"{int(table.loc[table['alerts'].notna(), 'rows'].sum()) if len(table) else 0:,}", border=True
)
found = watch(tables) if tables else pd.DataFrame({"unreviewed": []})
facts[3].metric("Unreviewed alerts", f"{int(found['unreviewed'].sum()):,}", border=True, help="In the last runs")
if len(table):
    st.header("Runs", anchor=False)
    st.dataframe(
        plain_table(table.assign(rate=100 * table["rate"].astype(float))),
        hide_index=True,
        placeholder="",
        column_order=["open", *(str(name) for name in table if name != "open")],
        column_config={
            "open": st.column_config.ButtonColumn("Open", key="open", width=118, type="tertiary"),
            "run": st.column_config.TextColumn("Run", width=105),
            "model": st.column_config.TextColumn("Model", width=120),
            "table": st.column_config.TextColumn("Table", width=120),
            "when": st.column_config.TextColumn("When", width=146),
            "rows": st.column_config.NumberColumn("Rows", format="localized", width=72),
            "alerts": st.column_config.NumberColumn("Alerts", format="localized", width=66),
            "rate": st.column_config.NumberColumn("Alert rate", format="%.1f %%", width=78),
            "right": st.column_config.TextColumn(
                "Right",
                width=152,
                help=f"Of the reviewed rows: {lines.RIGHT}",
            ),
            "filled": st.column_config.NumberColumn("Imputed", format="localized", width=75),
            "seconds": st.column_config.NumberColumn("Seconds", format="%.1f", width=68),
        },
        alt="All runs, newest first",
    )
else:
    st.info("There are no runs yet; score a table on the Start page.", icon=":material/info:")

if models:
    st.header("Models", anchor=False)
    saved = pd.DataFrame(
        [
            {
                "open": "Model",
                "model": record.reference,
                "kind": record.model,
                "tags": formatting.tags(record),
                "table": name_of(record.source),
                "when": formatting.moment(record.created),
                "rows": record.rows,
                "columns": record.columns,
                "seconds": record.seconds,
            }
            for record in models
        ]
    )
    st.dataframe(
        plain_table(saved),
        hide_index=True,
        column_config={
            "open": st.column_config.ButtonColumn("Open", key="open_model", width=80, type="tertiary"),
            "model": "Model",
            "kind": "Kind",
            "tags": "Tags",
            "table": st.column_config.TextColumn("Fitted on", width=150),
            "when": "When",
            "rows": st.column_config.NumberColumn("Rows", format="localized"),
            "columns": st.column_config.NumberColumn("Columns", format="localized"),
            "seconds": st.column_config.NumberColumn("Seconds", format="%.1f"),
        },
        alt="All saved models, newest first",
    )

activities.show()

opened_table = st.session_state.get("open_table")
opened, opened_model = st.session_state.get("open"), st.session_state.get("open_model")
if opened_table is not None:
    latest = tables[opened_table.row].latest
    if latest is None:
        navigation.go("models", model=tables[opened_table.row].models[0].reference)
    navigation.go("alerts", run=latest.id)
if opened is not None:
    navigation.go(PAGE_OF[runs[opened.row].verb], run=runs[opened.row].id)
if opened_model is not None:
    navigation.go("models", model=models[opened_model.row].reference)
