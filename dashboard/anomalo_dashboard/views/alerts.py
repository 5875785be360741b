"""Alerts: an inbox of the rows of a run, most anomalous first, with the row in view beside the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.reviews import AT_ONCE, Review
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, downloads, formatting, navigation, triage
from anomalo_dashboard.cells import listing as list_of_row
from anomalo_dashboard.images import pictures
from anomalo_dashboard.inbox import cursor, enter_key, filters, groups, listing, pane, past, threshold
from anomalo_dashboard.inbox.bar import Bar, bar
from anomalo_dashboard.mapping import chosen as map_choice
from anomalo_dashboard.security.literal import literal
from anomalo_dashboard.series import panel, reading


def warnings_of(run: RunRecord) -> None:
    """Show the run's warnings; several are folded up, since they would push the alerts out of sight."""
    found = [literal(formatting.sentence(warning)) for warning in run.summary.get("warnings", [])]
    several = st.expander(f"{len(found)} warnings", icon=":material/info:") if len(found) > 1 else st.container()
    with several:
        for warning in found:
            st.warning(warning, icon=":material/info:")


def distribution(shown: Bar, scores: data.Scores, alert: data.Mask, title: str, runs: Sequence[RunRecord]) -> None:
    """Show the histogram, in which the threshold can be moved, and the alerts that it gives in past runs."""
    alerts, in_run, rows = int(alert.sum()), int(scores.alert.sum()), len(alert)
    with st.expander("Move the threshold", icon=":material/tune:", key="distribution_box", on_change="rerun") as box:
        if not box.open or not rows:
            return
        left, right = st.columns([3, 2])
        with left:
            of_run = "" if alerts == in_run else f" ({in_run:,} in the run)"
            st.markdown(
                f"**{quantities.count(alerts, 'alert')}**{of_run}: click a bar, or drag over scores, to change it"
            )
            threshold.chart(scores, alert, title)
        with right:
            past.show(shown, runs)


def inbox(run: RunRecord, scores: data.Scores, alert: data.Mask, said: Mapping[int, Review], title: str) -> None:
    """Show the filters, the list of rows and the row in view."""
    left, right = st.columns([7, 5], gap="medium")
    chosen = None
    if not pictures.of_images(run):  # hardly two images have the same regions
        with left:
            chosen = groups.incidents(run, scores, alert)
        with right:
            groups.segments(run, alert)
    matching = filters.boxes(run, scores, said).rows(run, scores, alert, said)
    on_map = map_choice.filter_box(len(alert))
    if on_map is not None:
        matching &= on_map
    rows = scores.order[(matching if chosen is None else matching & chosen)[scores.order]]
    list_of_row.remember(run.id, rows, scores)
    if not len(rows):
        st.info(
            "No row matches. Clear the search, choose other filters, or show all rows.",
            icon=":material/filter_alt_off:",
        )
        return
    left, right = st.columns([7, 5], gap="medium")
    with left:
        cursor.turn(rows)
        summary, pager = st.columns([1, 1.3], vertical_alignment="center")
        with pager:
            span = navigation.one_page(len(rows), data.PAGE)
        summary.markdown(f"**{quantities.count(len(rows), 'row')}**, showing {span.start + 1:,} to {span.stop:,}")
        here = rows[span]
        at = cursor.position(here)
        ticked = listing.show(run, scores, here, at, alert, said, title)
        every, name, download = st.columns([2, 1, 1.4], vertical_alignment="center")
        if every.checkbox(f"Choose all {len(rows):,} listed rows", key=f"every {run.id}", disabled=len(rows) > AT_ONCE):
            ticked = rows[:AT_ONCE].tolist()
        with name:
            who = triage.name_box()
        downloads.csv_button(
            download,
            "Save these rows",
            lambda: scores.table(rows, alert),
            f"{run.id}-alerts.csv",
            f"{quantities.count(len(rows), 'listed row')}, of all pages, as CSV",
        )
    with right, st.container(key="row_in_view"):
        pane.show(run, scores, rows, span.start + at, bool(alert[here[at]]), said, ticked, who)
        enter_key.listen()


st.title("Alerts", anchor=False)
everything = data.runs()
found = [run for run in everything if run.verb == "score"]
if not found:
    navigation.empty(
        "No table has been scored yet", "Score a table on the Start page; its most anomalous rows are then listed here."
    )
shown = bar(found, everything)
warnings_of(shown.run)
scores, title = data.scores(shown.run), formatting.score(data.score_unit(shown.run.model))
alert = shown.alerts(scores)
distribution(shown, scores, alert, title, everything)
if reading.of_series(shown.run):
    panel.on_alerts(shown.run, cursor.go)
inbox(shown.run, scores, alert, triage.reviews().of(shown.run.id), title)
