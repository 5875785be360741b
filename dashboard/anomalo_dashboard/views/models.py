"""Models: what is saved, how it was trained, and how well it tells hidden cells."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from anomalo.store import ModelRecord
from anomalo_dashboard import charts, data, formatting, navigation


def choose(records: list[ModelRecord]) -> ModelRecord:
    """Let the user choose a version; the choice is in the URL."""
    known = {record.reference: record for record in records}
    wanted = st.query_params.get("model")
    if "model" not in st.session_state and wanted not in known:
        latest = records[0].reference
        navigation.turn_to(
            f"There is no model {wanted} here; this is the latest, {latest}." if wanted else "", model=latest
        )
    chosen = st.selectbox(
        "Model", list(known), None, key="model", bind="query-params", required=True, label_visibility="collapsed"
    )
    return known.get(chosen, records[0])


def facts(record: ModelRecord, training: dict[str, Any]) -> None:
    """Show what the model is."""
    summary = record.summary
    shown = {
        "Kind": f"{record.model}, of plugin {record.plugin}",
        "Can": ", ".join(summary.get("verbs", [])),
        "Tags": ", ".join(record.tags) or "none",
        "Fitted on": formatting.file_name(record.source),
        "Size": f"{formatting.count(record.rows, 'row')}, {formatting.count(record.columns, 'column')}",
        "When": formatting.moment(record.created),
        "Took": formatting.duration(record.seconds),
        "Device": training.get("device", ""),
        "Gone on with": formatting.count(training["resumed"], "time") if training.get("resumed") else "",
        "Seed": summary.get("seed"),
        **{name.replace("_", " ").capitalize(): value for name, value in summary.get("parameters", {}).items()},
    }
    table = pd.DataFrame([(name, formatting.plain(value)) for name, value in shown.items() if value not in (None, "")])
    st.table(table.set_axis(["", "Value"], axis=1), hide_index=True, hide_header=True, border="horizontal")


def ends(phases: list[dict[str, Any]]) -> str:
    """Say in words how each phase of a training ended."""
    said = []
    for phase in phases:
        what = f"{phase['name']}: " if len(phases) > 1 else ""
        end = "stopped early" if phase["stopped_early"] else "ran to its end"
        said.append(
            f"{what}{end} after {phase['ran']} of at most {phase['epochs']} epochs; the best was {phase['best']}"
        )
    return ". ".join(text[0].upper() + text[1:] for text in said) + "."


def curve(manifest: dict[str, Any]) -> None:
    """Show the losses by epoch, or say why there are none."""
    st.subheader("Training", anchor=False)
    history = [entry for entry in manifest.get("history", []) if "epoch" in entry and "loss" in entry]
    phases = manifest.get("training", {}).get("phases", [])
    if not history:
        st.info("This model is not trained in epochs, or was saved by an earlier version: there is no curve.")
        return
    if phases:
        st.caption(ends(phases))
    st.altair_chart(
        charts.training(history, {phase["name"]: phase["best"] for phase in phases}),
        alt="Loss by epoch, of training rows and of held-out rows",
    )


def cells(record: ModelRecord) -> None:
    """Show how well hidden cells are told, column by column."""
    found = data.hidden_cells(record)
    if found.empty:
        return
    st.subheader("Hidden cells", anchor=False)
    st.caption(
        "Known cells were hidden and predicted by models that had never seen the row. "
        "The baseline says each column's mean, or its most frequent level."
    )
    st.dataframe(
        found[["column", "kind", "error", "baseline"]].assign(less=100 * found["less"]),
        hide_index=True,
        column_config={
            "column": "Column",
            "kind": "Kind",
            "error": st.column_config.NumberColumn(
                "Error",
                format="%.3f",
                help="Numbers: in units of the column's spread. Categories: share of wrong levels.",
            ),
            "baseline": st.column_config.NumberColumn("Baseline's error", format="%.3f"),
            "less": st.column_config.NumberColumn(
                "Less error", format="%.1f %%", help="Than the baseline; 0 % is no better"
            ),
        },
        alt="Error of hidden cells by column",
    )


st.title("Models", anchor=False)
records = data.models()
if not records:
    navigation.empty(
        "No model is saved yet", "Give a table on the page Start; the model that is fitted on it is kept here."
    )

left, right = st.columns([5, 7], gap="medium")
with left:
    record = choose(records)
    manifest = data.manifest(record.reference)
    facts(record, manifest.get("training", {}))
with right:
    if not manifest:
        st.warning("The folder of this model is gone or damaged; fit the model again.", icon=":material/warning:")
    for warning in record.summary.get("warnings", []):
        st.warning(warning, icon=":material/info:")
    curve(manifest)
    cells(record)
