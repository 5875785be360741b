"""Models: the versions of saved models side by side, what can be done with them, and how one was trained."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.workspace import ModelRecord, Workspace
from anomalo_dashboard import charts, data, formatting, navigation
from anomalo_dashboard.images import pictures
from anomalo_dashboard.managing import actions, versions
from anomalo_dashboard.security.literal import literal, plain, plain_table
from anomalo_dashboard.security.uploads import name_of


def choose(records: list[ModelRecord]) -> ModelRecord:
    """Let the user choose a version; the choice is in the URL."""
    known = {record.reference: record for record in records}
    requested = st.query_params.get("model")
    if "model" not in st.session_state and requested not in known:
        latest = records[0].reference
        navigation.turn_to(
            f"There is no model {requested} here; this is the latest model, {latest}." if requested else "",
            model=latest,
        )
    chosen = st.selectbox(
        "Model",
        list(known),
        None,
        plain,
        key="model",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    return known.get(chosen or "", records[0])


def size(record: ModelRecord) -> str:
    """Return of how many rows and columns, or images of which size, a model learned."""
    if not pictures.learned_from_images(record):
        return f"{quantities.count(record.rows, 'row')}, {quantities.count(record.columns, 'column')}"
    shape = record.summary.get("image")
    return quantities.count(record.rows, "image") if shape is None else quantities.images(record.rows, shape)


def facts(record: ModelRecord, training: dict[str, Any]) -> None:
    """Show the model's facts and parameters."""
    summary = record.summary
    shown = {
        "Kind": f"{record.model}, of plugin {record.plugin}",
        "Capabilities": ", ".join(summary.get("verbs", [])),
        "Tags": formatting.tags(record) or "none",
        "Saved threshold": record.threshold and formatting.threshold(record.threshold),
        "Fitted on": name_of(record.source),
        "Size": size(record),
        "Fitted at": formatting.moment(record.created),
        "Fitted by": summary.get("lineage", {}).get("who"),
        "Fit time": formatting.duration(record.seconds),
        "Device": training.get("device", ""),
        "Resumed": quantities.count(training["resumed"], "time") if training.get("resumed") else "",
        "Score unit": summary.get("score_unit"),
        "Seed": summary.get("seed"),
        **{name.replace("_", " ").capitalize(): value for name, value in summary.get("parameters", {}).items()},
    }
    texts = [(name, formatting.plain(value)) for name, value in shown.items() if value not in (None, "")]
    table = pd.DataFrame([tuple(map(literal, pair)) for pair in texts])  # st.table reads Markdown
    st.table(table.set_axis(["", "Value"], axis=1), hide_index=True, hide_header=True, border="horizontal")


def ends(phases: list[dict[str, Any]]) -> str:
    """Return how each phase of a training ended, as text."""
    said = []
    for phase in phases:
        what = f"{phase['name']}: " if len(phases) > 1 else ""
        end = "stopped early after" if phase["stopped_early"] else "completed"
        said.append(
            f"{what}{end} {phase['ran']} of at most {phase['epochs']} epochs; the best was epoch {phase['best']}"
        )
    return ". ".join(map(formatting.sentence, said)) + "."


def curve(trained: dict[str, Any]) -> None:
    """Show the loss by epoch, or say why there is none."""
    st.header("Training", anchor=False)
    history = [entry for entry in trained.get("history", []) if "epoch" in entry and "loss" in entry]
    phases = trained.get("training", {}).get("phases", [])
    if not history:
        st.info("There is no training curve: this model is not trained in epochs.", icon=":material/info:")
        return
    if phases:
        st.caption(literal(ends(phases)))
    st.altair_chart(
        charts.training(history, {phase["name"]: phase["best"] for phase in phases}),
        alt="Loss by epoch, of training rows and of held-out rows",
    )


def cells(record: ModelRecord) -> None:
    """Show how well hidden cells are predicted, column by column."""
    found = data.hidden_cells(record)
    if found.empty:
        return
    st.header("Error of imputation", anchor=False)
    st.caption(
        "Known cells were hidden and predicted by models that were not trained on their rows. "
        "The baseline predicts each column's mean or most frequent level."
    )
    st.dataframe(
        plain_table(found[["column", "kind", "error", "baseline"]].assign(less=100 * found["less"])),
        hide_index=True,
        height="content" if len(found) < 31 else 1100,
        column_config={
            "column": st.column_config.TextColumn("Column", width=195),
            "kind": st.column_config.TextColumn("Kind", width=80),
            "error": st.column_config.TextColumn(
                "Error",
                alignment="right",
                help="Numbers: root mean squared error, in the column's unit; of dates, in days or seconds. "
                "Categories: share of wrong levels.",
            ),
            "baseline": st.column_config.TextColumn("Error of the baseline", alignment="right"),
            "less": st.column_config.NumberColumn(
                "Reduction", format="%.1f %%", help="How much lower the error is than the baseline's; 0 % is no better"
            ),
        },
        alt="Error of imputation by column",
    )


def moves(name: str) -> None:
    """Show who moved which tag, and when, the latest first."""
    found = Workspace(navigation.workspace()).tag_moves(name)
    if not found:
        return
    with st.expander(f"History of tags: {quantities.count(len(found), 'move')}", icon=":material/history:"):
        for move in reversed(found):
            after = "removed" if move.after is None else f"version {move.after}"
            before = "" if move.before is None else f", before version {move.before}"
            st.markdown(literal(f"{formatting.moment(move.created)}, {move.who}: {move.tag}: {after}{before}"))


st.title("Models", anchor=False)
records = data.models()
if not records:
    navigation.empty("No model is saved yet", "Fit a model on the Start page; it is then listed here.")

record = choose(records)
actions.show(record)
versions.show([one for one in records if one.name == record.name], data.runs())
moves(record.name)
st.header(literal(record.reference), anchor=False)
left, right = st.columns([5, 7], gap="medium")
with left:
    cleans = record.summary.get("verbs") == ["clean"]
    trained = None if cleans else data.training(record)
    facts(record, {} if trained is None else trained["training"])
with right:
    if cleans:
        st.info(
            literal(f"It finds wrong cells of tables with the same columns: anomalo clean TABLE --with {record.name}"),
            icon=":material/info:",
        )
    elif trained is None:
        st.warning("The folder of this model is missing or damaged; fit the model again.", icon=":material/warning:")
    for warning in record.summary.get("warnings", []):
        st.warning(literal(formatting.sentence(warning)), icon=":material/info:")
    if not cleans:
        curve(trained or {})
        cells(record)
