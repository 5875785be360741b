"""Overview: the runs and models of the workspace, and the share of alerts from run to run."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import charts, data, formatting, navigation, triage
from anomalo_dashboard.security.literal import literal, plain, plain_table
from anomalo_dashboard.security.uploads import name_of

LATEST = 25  # runs in the chart
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


def chart(table: pd.DataFrame) -> None:
    """Show the alert rate of the latest score runs, of all models or one."""
    scored = table.dropna(subset="rate")
    if scored.empty:
        return
    st.header("Alert rate by run", anchor=False)
    names = sorted({model.partition("@")[0] for model in scored["model"]})
    if len(names) > 1:
        chosen = st.selectbox(
            "Model", names, None, plain, key="model", bind="query-params", placeholder="all models", width=300
        )
        scored = scored if chosen is None else scored[scored["model"].str.partition("@")[0] == chosen]
    st.altair_chart(charts.alert_rates(plain_table(scored.head(LATEST)[::-1])), alt="Share of alerts in each run")


st.title("Overview", anchor=False)
st.caption(f"Workspace {literal(navigation.workspace().name)}")
runs, models = data.runs(), data.models()
if not runs and not models:
    navigation.empty(
        "Nothing here yet", "This workspace has no models and no runs. Fit and score a table on the Start page."
    )

reviewed = triage.reviews().counts()
table = pd.DataFrame([line(run, reviewed.get(run.id, {})) for run in runs])
facts = st.columns(4)
facts[0].metric("Saved models", f"{len(models):,}", border=True)
facts[1].metric("Runs", f"{len(runs):,}", border=True)
facts[2].metric(
    "Rows scored", f"{int(table.loc[table['alerts'].notna(), 'rows'].sum()) if len(table) else 0:,}", border=True
)
rates: list[float] = table["rate"].dropna().tolist() if len(table) else []
facts[3].metric("Latest alert rate", quantities.percent(rates[0]) if len(rates) else "no run yet", border=True)

if len(table):
    chart(table)
    st.header("Runs", anchor=False)
    st.dataframe(
        plain_table(table.assign(rate=100 * table["rate"].astype(float))),
        hide_index=True,
        placeholder="",
        column_order=["open", *(str(name) for name in table if name != "open")],
        column_config={
            "open": st.column_config.ButtonColumn("Open", key="open", width=120, type="tertiary"),
            "run": st.column_config.TextColumn("Run", width=120),
            "model": st.column_config.TextColumn("Model", width=120),
            "table": st.column_config.TextColumn("Table", width=130),
            "when": st.column_config.TextColumn("When", width=150),
            "rows": st.column_config.NumberColumn("Rows", format="localized"),
            "alerts": st.column_config.NumberColumn("Alerts", format="localized"),
            "rate": st.column_config.NumberColumn("Alert rate", format="%.1f %%"),
            "right": st.column_config.TextColumn(
                "Right",
                width=150,
                help="Of the reviewed rows: how many were acknowledged or fixed, neither expected nor false alarms, "
                "with a 95 % interval",
            ),
            "filled": st.column_config.NumberColumn("Cells imputed", format="localized"),
            "seconds": st.column_config.NumberColumn("Seconds", format="%.1f"),
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
                "tags": ", ".join(record.tags),
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

opened, opened_model = st.session_state.get("open"), st.session_state.get("open_model")
if opened is not None:
    navigation.go(PAGE_OF[runs[opened.row].verb], run=runs[opened.row].id)
if opened_model is not None:
    navigation.go("models", model=models[opened_model.row].reference)
