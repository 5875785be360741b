"""Embedding map: the rows of a run in two dimensions, similar rows near each other, alerts in another colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import charts, data, formatting, job_progress, navigation, projection, sources, triage
from anomalo_dashboard.images import pictures
from anomalo_dashboard.inbox.bar import bar
from anomalo_dashboard.mapping import chart, chosen, codes, colours, lasso, layers
from anomalo_dashboard.mapping.cloud import Cloud, among, by_components, by_tsne, inside
from anomalo_dashboard.security.literal import literal, plain
from anomalo_dashboard.security.uploads import name_of

PCA, TSNE = "PCA", "t-SNE"
PICTURES = 300  # images, the most anomalous ones, that show a picture where the mouse is
DRAGS = {chart.MOVE: "move", chart.RECTANGLE: "choose rows", chart.LASSO: "lasso"}
SAID = {
    chart.MOVE: "scroll to zoom, drag to move",
    chart.RECTANGLE: "drag to choose the rows in a rectangle",
    chart.LASSO: "drag around rows to choose them",
}


def can_embed(run: RunRecord) -> bool:
    """Return whether the run's model can embed rows; if not, say which models can."""
    record = data.model_of(run.model)
    if record is None:
        st.info(f"The model of this run, {literal(run.model)}, is no longer in the workspace.", icon=":material/info:")
        return False
    able = data.models_with("embed", modality="image" if pictures.learned_from_images(record) else "table")
    if record.model not in able:
        st.info(
            f"A map needs a model that embeds rows, which {literal(record.model)} does not. Score the table with one "
            f"that does: {literal(', '.join(able))}.",
            icon=":material/info:",
        )
    return record.model in able


def offer(run: RunRecord, embedded: Sequence[RunRecord]) -> None:
    """Offer to embed the table, or the rows that the run has kept; show that job while it runs, or why it failed."""
    changed = next((other for other in embedded if (other.source, other.model) == (run.source, run.model)), None)
    there = "://" in run.source or Path(run.source).exists()
    command = ["embed", run.source, "--with", str(run.model), *sources.flags(run)]
    of_kept = ["embed", str(run.path / codes.KEPT), "--with", str(run.model)]
    if job_progress.show_unfinished(command) or job_progress.show_unfinished(of_kept) or not can_embed(run):
        return
    st.write(
        "The map shows the code of each row, a few numbers that the model computes from it. "
        f"The rows of {literal(name_of(run.source))} have no codes yet."
    )
    if changed is not None:
        st.warning(
            f"The table has changed: it had {quantities.count(run.summary['rows'], 'row')} when it was scored, and "
            f"{changed.summary['rows']:,} when it was embedded. Score and embed it again.",
            icon=":material/info:",
        )
        commands = [[verb, run.source, "--with", str(run.model), *sources.flags(run)] for verb in ("score", "embed")]
        st.code(job_progress.shell(commands), "shell")
    elif there and st.button("Compute the map", type="primary", icon=":material/map:"):
        sources.again(run)
        job_progress.start(f"Map of {name_of(run.source)}", command)
    if changed is not None or not there:
        offer_kept(run, there, of_kept)


def offer_kept(run: RunRecord, there: bool, command: list[str]) -> None:
    """Offer a map of the rows that the run has kept, where that of the scored table cannot be computed."""
    if not there:
        st.info("The scored file is not where it was.", icon=":material/info:")
    if not codes.can_embed_kept(run):
        st.write("The run has kept no rows that could be on a map.")
        return
    number = quantities.count(len(codes.kept(run)), "row")
    if st.button(f"Compute the map of the {number} that the run has kept", type="primary", icon=":material/map:"):
        job_progress.start(f"Map of {name_of(run.source)}", command)


def positions(found: codes.Codes, scores: data.Scores, how: str, unit: str) -> Cloud | None:
    """Return where the rows lie, and say so where t-SNE is not possible."""
    rows = len(scores.score) if found.rows is None else len(found.rows)
    if how == TSNE and rows >= projection.MIN_TSNE_ROWS:
        return by_tsne(found, scores)
    if how == TSNE:
        st.info(f"t-SNE needs {projection.MIN_TSNE_ROWS} rows or more; this is the map by PCA.", icon=":material/info:")
    return by_components(found, scores, unit)


def caption(run: RunRecord, found: codes.Codes, cloud: Cloud, scores: data.Scores, drawn: data.Rows) -> str:
    """Return what the map shows, in words."""
    latent = quantities.count(found.run.summary["latent"], "number")
    total, alerts = len(scores.score), int(scores.alert.sum())
    text = f"{literal(name_of(run.source))} embedded by {literal(run.model)} into codes of {latent}. {cloud.note} "
    if found.rows is not None:
        text += f"Shown: the {quantities.count(len(cloud.rows), 'row')} that the run has kept, of {total:,}. "
    elif len(cloud.rows) < total:
        here = f"{int(scores.alert[cloud.rows].sum()):,} of {quantities.count(alerts, 'alert')}"
        text += f"Shown: {len(cloud.rows):,} of {quantities.count(total, 'row')}, {here}. "
    else:
        text += "Shown: all rows. "
    if len(drawn) < len(cloud.rows):
        points = int(scores.alert[drawn].sum())
        every = points == scores.alert[cloud.rows].sum()
        most = "all alerts" if every else f"the {points:,} most anomalous alerts, orange tiles count the others"
        others = f" and {len(drawn) - points:,} rows with reasons" if len(drawn) > points else ""
        text += f"Points: {most}{others}; grey tiles count the other rows."
    return text


def coloured(run: RunRecord, scores: data.Scores, drawn: data.Rows) -> colours.Colours:
    """Let the user choose what colours the points; the choice is in the URL."""
    by = st.selectbox(
        "Colour",
        [colours.ALERT, colours.REASON, colours.STATE, *(f"column {name}" for name in colours.columns(run))],
        0,
        lambda text: plain(formatting.sentence(text)),
        key="colour",
        bind="query-params",
    )
    if by == colours.REASON:
        return colours.by_reason(run, drawn)
    if by == colours.STATE:
        return colours.by_state(drawn, triage.reviews().of(run.id))
    if by.startswith("column "):
        return colours.by_column(run, drawn, by.removeprefix("column "))
    return colours.by_alert(scores.alert[drawn])


def clicked(event: object) -> int | None:
    """Return the row whose point was clicked."""
    points = getattr(event, "selection", {}).get(charts.PICKED) or []
    return int(points[0]["row"]) if points and "row" in points[0] else None


def chosen_rows(run: RunRecord, scores: data.Scores, rows: data.Rows) -> None:
    """Say which rows are in the rectangle or the lasso, with buttons that list them on the page Alerts."""
    order = scores.order[among(scores.order, rows, len(scores.order))]
    alerts = order[scores.alert[order]]
    said, left, right = st.columns([4, 1.6, 1.6], vertical_alignment="center")
    said.markdown(
        f"**{quantities.count(len(order), 'row')}** chosen, {quantities.count(len(alerts), 'alert')} among them"
    )
    for column, listed, which in ((left, alerts, "alert"), (right, order, "row")):
        some = (
            f"the first {chosen.MOST:,} {which}s" if len(listed) > chosen.MOST else quantities.count(len(listed), which)
        )
        if column.button(f"List {some}", icon=":material/list:", disabled=not len(listed), width="stretch"):
            show = "alerts" if which == "alert" else "all rows"
            navigation.go("alerts", run=run.id, show=show, rows=chosen.in_url(listed[: chosen.MOST]))


def detail(run: RunRecord, scores: data.Scores, row: int | None, drag: str) -> None:
    """Show the clicked row in words, with a button that opens it."""
    if row is None:
        st.caption(f"Point at a row to see its score and reasons; click it to open it; {SAID[drag]}.")
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
boxes = st.columns([2, 1.3, 2.7], vertical_alignment="bottom")
embeddings = [other for other in everything if other.verb == "embed"]
embedded = codes.find(run, embeddings)
if embedded is None:
    offer(run, embeddings)
    st.stop()
scores = data.scores(run)
scores = replace(scores, alert=shown.alerts(scores))
with boxes[1]:
    how = st.segmented_control(
        "Projection", [PCA, TSNE], default=PCA, required=True, key="projection", bind="query-params"
    )
with boxes[2]:
    drag = st.segmented_control(
        "Drag to",
        list(DRAGS),
        default=chart.MOVE,
        required=True,
        format_func=DRAGS.__getitem__,
        key="drag",
        bind="query-params",
    )
cloud = positions(embedded, scores, how, data.score_unit(run.model))
if cloud is None:
    st.info("The model gives all rows the same code: a map would be one point.", icon=":material/info:")
    st.stop()
images = pictures.of_images(run)
drawn = layers.points(cloud, scores, codes.kept(run))
with boxes[0]:
    palette = coloured(run, scores, drawn)
st.caption(caption(run, embedded, cloud, scores, drawn))
corners = lasso.listen() if drag == chart.LASSO else None
line = None if corners is None else lasso.on_the_map(corners, cloud)
thumbnails = pictures.thumbnails(run, drawn[:PICTURES]) if images else ()
with st.container(key=lasso.CHART):
    event = st.altair_chart(
        chart.draw(
            chart.table(cloud, scores, drawn, palette, thumbnails),
            layers.counts(cloud, drawn, scores.alert),
            cloud,
            palette,
            scores.id,
            drag,
            line,
        ),
        key=f"map {run.id} {how} {drag}",
        on_select="rerun",
        selection_mode=[charts.PICKED, *([chart.AREA] if drag == chart.RECTANGLE else [])],
        alt="Rows in two dimensions, alerts in another colour",
    )
area = getattr(event, "selection", {}).get(chart.AREA) or {}
if line is not None and clicked(event) is None:
    chosen_rows(run, scores, lasso.inside(cloud, line))
elif area:
    chosen_rows(run, scores, inside(cloud, area))
else:
    detail(run, scores, clicked(event), drag)
