"""Map: the rows of a run in two dimensions, alike rows near each other, alerts among them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from anomalo.jobs import background
from anomalo.store import RunRecord
from anomalo_dashboard import charts, data, formatting, job_progress, navigation, projection

PCA, TSNE = "PCA", "t-SNE"
HEIGHT = 430


def able(run: RunRecord) -> bool:
    """Tell whether the run's model can embed; say so if not."""
    kind = next((record.model for record in data.models() if record.reference == run.model), None)
    if kind is None:
        st.info(f"The model of this run, {run.model}, is no more in the workspace.", icon=":material/info:")
        return False
    able = [model["name"] for model in data.kinds_of_model() if "embed" in model["verbs"]]
    if kind not in able:
        st.info(
            f"A map needs a model that embeds rows, and `{kind}` does not. Score the table with one that does: "
            f"{', '.join(able)}.",
            icon=":material/info:",
        )
    return kind in able


def offer(run: RunRecord) -> None:
    """Offer to embed the table in the background; show that job while it works, or why it ended."""
    command = ["embed", run.source, "--with", str(run.model)]
    jobs = (job for job in background.jobs(navigation.workspace()) if job.commands == (tuple(command),))
    job = next(jobs, None)
    if job is not None and job.status != "done":
        job_progress.show(job)
        return
    if not able(run):
        return
    st.write(
        "Where a row lies on the map follows from its code: what the model makes of it in a few numbers. "
        f"The codes of {formatting.file_name(run.source)} are not there yet."
    )
    if st.button("Make the map", type="primary", icon=":material/map:"):
        background.start(navigation.workspace(), f"Map of {formatting.file_name(run.source)}", [command])
        st.rerun()


def places(embedded: RunRecord, scores: data.Scores, how: str) -> tuple[pd.DataFrame, tuple[str, str], str]:
    """Return rows with their places `x` and `y`, the titles of the axes, and a word on what is shown."""
    total = len(scores.score)
    rows = projection.sample(scores.order, scores.alert, projection.NEIGHBOURS if how == TSNE else projection.DRAWN)
    if how == TSNE:
        found, axes = data.neighbourhoods(embedded, rows), ("", "")
        told = "Neighbours on the map are neighbours in the codes; distances between groups say little."
    else:
        every, shares = data.plane(embedded)
        found = every[rows]
        axes = tuple(
            f"{name} component, {formatting.percent(share)} of the variance"
            for name, share in zip(("First", "Second"), shares, strict=True)
        )
        told = f"The two directions in which the codes vary most, {formatting.percent(shares.sum())} of their variance."
    alerts = f"{scores.alert[rows].sum():,} of {formatting.count(int(scores.alert.sum()), 'alert')}"
    shown = "all rows" if len(rows) == total else f"{len(rows):,} of {formatting.count(total, 'row')}, {alerts}"
    table = scores.table(rows, scores.alert).rename(columns={scores.id: "named"}).assign(x=found[:, 0], y=found[:, 1])
    return table, axes, f"{told} Shown: {shown}."


def clicked(event: object) -> int | None:
    """Return the row whose point was clicked."""
    points = getattr(event, "selection", {}).get(charts.PICKED) or []
    return int(points[0]["row"]) if points and "row" in points[0] else None


def detail(run: RunRecord, scores: data.Scores, row: int | None) -> None:
    """Tell of the clicked row, and lead to its page."""
    if row is None:
        st.caption("Point at a row to see what it is; click it for the way to its page. Scroll to zoom, drag to move.")
        return
    text, button = st.columns([6, 1.4], vertical_alignment="center")
    name = "" if scores.names is None else f" ({scores.names[row].as_py()})"
    verdict = "an alert" if scores.alert[row] else "not an alert"
    because = scores.because[row].as_py()
    text.markdown(
        f"**Row {row}**{name} is {verdict}, rank {scores.rank[row] + 1:,} of {len(scores.order):,}"
        + (f": {because}" if because else "")
    )
    if button.button(f"Open row {row}", icon=":material/table_rows:", width="stretch"):
        navigation.go("row", run=run.id, row=row)


st.title("Embedding map", anchor=False)
everything = data.runs()
found = [run for run in everything if run.verb == "score" and run.summary.get("rows")]
if not found:
    navigation.empty(
        "No table has been scored yet", "Give a table on the page Start; its rows can be seen on a map here."
    )

left, middle, right = st.columns([2, 3, 1.3], vertical_alignment="center")
run = navigation.run_in_view(found, everything)
with left:
    navigation.run_box(found)
embedded = navigation.companion(run, [other for other in everything if other.verb == "embed"])
if embedded is None:
    offer(run)
    st.stop()
scores = data.scores(run)
if embedded.summary["rows"] != len(scores.score):
    st.warning(
        f"The table has changed: it had {formatting.count(len(scores.score), 'row')} when it was scored, and "
        f"{embedded.summary['rows']:,} when it was embedded. Score and embed it again.",
        icon=":material/info:",
    )
    st.code(job_progress.shell([[verb, run.source, "--with", str(run.model)] for verb in ("score", "embed")]), "shell")
    st.stop()
with right:
    how = st.segmented_control(
        "Places by",
        [PCA, TSNE],
        default=PCA,
        required=True,
        key="places",
        bind="query-params",
        label_visibility="collapsed",
    )
if how == TSNE and len(scores.score) < projection.FEWEST:
    st.info(
        f"t-SNE needs {projection.FEWEST} rows or more; this is the plane of most variance.", icon=":material/info:"
    )
    how = PCA
table, axes, told = places(embedded, scores, how)
latent = formatting.count(embedded.summary["latent"], "number")
middle.caption(f"{formatting.file_name(run.source)} by {run.model}: codes of {latent}. {told}")
event = st.altair_chart(
    charts.scatter(table, axes, scores.id, HEIGHT),
    key=f"map {run.id} {how}",
    on_select="rerun",
    selection_mode=charts.PICKED,
    alt="Rows in two dimensions, alerts in a colour of their own",
)
detail(run, scores, clicked(event))
