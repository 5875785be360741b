"""Embedding map: the rows of a run in two dimensions, similar rows near each other, alerts in another colour."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import charts, data, job_progress, navigation, projection, sources
from anomalo_dashboard.inbox.bar import bar
from anomalo_dashboard.security.literal import literal
from anomalo_dashboard.security.uploads import name_of

PCA, TSNE = "PCA", "t-SNE"
HEIGHT = 430


def can_embed(run: RunRecord) -> bool:
    """Return whether the run's model can embed rows; if not, say which models can."""
    record = data.model_of(run.model)
    if record is None:
        st.info(f"The model of this run, {literal(run.model)}, is no longer in the workspace.", icon=":material/info:")
        return False
    able = data.models_with("embed")
    if record.model not in able:
        st.info(
            f"A map needs a model that embeds rows, which {literal(record.model)} does not. Score the table with one "
            f"that does: {literal(', '.join(able))}.",
            icon=":material/info:",
        )
    return record.model in able


def offer(run: RunRecord) -> None:
    """Offer to embed the table in the background; show that job while it runs, or why it failed."""
    command = ["embed", run.source, "--with", str(run.model), *sources.flags(run)]
    if job_progress.show_unfinished(command) or not can_embed(run):
        return
    st.write(
        "The map shows the code of each row, a few numbers that the model computes from it. "
        f"The rows of {literal(name_of(run.source))} have no codes yet."
    )
    if st.button("Compute the map", type="primary", icon=":material/map:"):
        sources.again(run)
        job_progress.start(f"Map of {name_of(run.source)}", command)


def coordinates(embedded: RunRecord, scores: data.Scores, how: str) -> tuple[pd.DataFrame, tuple[str, str], str]:
    """Return rows with their coordinates `x` and `y`, the titles of the axes, and a caption."""
    total = len(scores.score)
    rows = projection.sample(
        scores.order, scores.alert, projection.MAX_TSNE_ROWS if how == TSNE else projection.MAX_POINTS
    )
    if how == TSNE:
        found, axes = data.tsne(embedded, rows), ("", "")
        note = "Rows near each other have similar codes; distances between groups mean little."
    else:
        every, shares = data.principal_components(embedded)
        found = every[rows]
        first, second = (
            f"{name} component, {quantities.percent(share)} of the variance"
            for name, share in zip(("First", "Second"), shares, strict=True)
        )
        axes = first, second
        note = f"The two principal components hold {quantities.percent(shares.sum())} of the variance of the codes."
    alerts = f"{scores.alert[rows].sum():,} of {quantities.count(int(scores.alert.sum()), 'alert')}"
    shown = "all rows" if len(rows) == total else f"{len(rows):,} of {quantities.count(total, 'row')}, {alerts}"
    table = scores.table(rows, scores.alert).rename(columns={scores.id: "id"}).assign(x=found[:, 0], y=found[:, 1])
    return table, axes, f"{note} Shown: {shown}."


def clicked(event: object) -> int | None:
    """Return the row whose point was clicked."""
    points = getattr(event, "selection", {}).get(charts.PICKED) or []
    return int(points[0]["row"]) if points and "row" in points[0] else None


def detail(run: RunRecord, scores: data.Scores, row: int | None) -> None:
    """Show the clicked row in words, with a button that opens it."""
    if row is None:
        st.caption("Point at a row to see its score and reasons; click it to open it. Scroll to zoom, drag to move.")
        return
    text, button = st.columns([6, 1.4], vertical_alignment="center")
    name = "" if scores.names is None else f" ({literal(scores.names[row].as_py())})"
    status = "an alert" if scores.alert[row] else "not an alert"
    reasons = scores.reasons[row].as_py()
    text.markdown(
        f"**Row {row}**{name} is {status}, rank {scores.rank[row] + 1:,} of {len(scores.order):,}"
        + (f": {literal(reasons)}" if reasons else "")
    )
    if button.button(f"Open row {row}", icon=":material/table_rows:", width="stretch"):
        navigation.go("row", run=run.id, row=row)


st.title("Embedding map", anchor=False)
everything = data.runs()
found = [run for run in everything if run.verb == "score" and run.summary.get("rows")]
if not found:
    navigation.empty(
        "No table has been scored yet", "Score a table on the Start page; its rows are then shown on a map here."
    )

shown = bar(found, everything)
run = shown.run
middle, right = st.columns([5, 1.3], vertical_alignment="center")
embedded = navigation.companion(run, [other for other in everything if other.verb == "embed"])
if embedded is None:
    offer(run)
    st.stop()
scores = data.scores(run)
scores = replace(scores, alert=shown.alerts(scores))
if embedded.summary["rows"] != len(scores.score):
    st.warning(
        f"The table has changed: it had {quantities.count(len(scores.score), 'row')} when it was scored, and "
        f"{embedded.summary['rows']:,} when it was embedded. Score and embed it again.",
        icon=":material/info:",
    )
    commands = [[verb, run.source, "--with", str(run.model), *sources.flags(run)] for verb in ("score", "embed")]
    st.code(job_progress.shell(commands), "shell")
    st.stop()
with right:
    how = st.segmented_control(
        "Projection",
        [PCA, TSNE],
        default=PCA,
        required=True,
        key="projection",
        bind="query-params",
        label_visibility="collapsed",
    )
if how == TSNE and len(scores.score) < projection.MIN_TSNE_ROWS:
    st.info(f"t-SNE needs {projection.MIN_TSNE_ROWS} rows or more; this is the map by PCA.", icon=":material/info:")
    how = PCA
table, axes, note = coordinates(embedded, scores, how)
latent = quantities.count(embedded.summary["latent"], "number")
middle.caption(f"{literal(name_of(run.source))} embedded by {literal(run.model)} into codes of {latent}. {note}")
event = st.altair_chart(
    charts.scatter(table, axes, scores.id, HEIGHT),
    key=f"map {run.id} {how}",
    on_select="rerun",
    selection_mode=charts.PICKED,
    alt="Rows in two dimensions, alerts in another colour",
)
detail(run, scores, clicked(event))
