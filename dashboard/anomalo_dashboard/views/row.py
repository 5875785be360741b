"""Row: one row of a run, with the contribution of each cell to its anomaly score."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting, navigation, triage
from anomalo_dashboard.cells import earlier, explain_now, explained, listing, neighbours
from anomalo_dashboard.images import detail, pictures
from anomalo_dashboard.inbox.bar import bar
from anomalo_dashboard.repairing import row_suggestion
from anomalo_dashboard.security.literal import literal, plain_table
from anomalo_dashboard.series import panel, reading


def row_in_view(scores: data.Scores) -> int:
    """Return the row that the URL or the user chose, else the most anomalous; call it before the row's box."""
    last, first = len(scores.score) - 1, int(scores.order[0])
    if "row" in st.session_state:
        row = st.session_state["row"]
        if row is None or row > last:  # cleared, or of another run with more rows
            st.session_state["row"] = row = first
        return int(row)
    requested = st.query_params.get("row")
    if requested is None or not requested.isdecimal() or int(requested) > last:
        notice = (
            f"There is no row {requested}; rows go from 0 to {last:,}. This is the most anomalous." if requested else ""
        )
        navigation.turn_to(notice, row=first)
    return int(requested)


def open_row(row: int) -> None:
    """Go to a row; called before the page is drawn again."""
    st.session_state["row"] = row


def steps(before: DeltaGenerator, after: DeltaGenerator, rows: data.Rows, at: int) -> None:
    """Show the buttons that lead to the rows before and after this one in a list."""
    for column, label, by, arrow, key in ((before, "Previous", -1, "back", "K"), (after, "Next", 1, "forward", "J")):
        there = 0 <= at + by < len(rows)
        column.button(
            label,
            icon=f":material/arrow_{arrow}:",
            on_click=open_row,
            args=(int(rows[at + by]) if there else 0,),
            disabled=not there,
            width="stretch",
            help=f"The row {'before' if by < 0 else 'after'} this one in the list",
            shortcut=key,
        )


def headline(run: RunRecord, scores: data.Scores, row: int, alert: bool) -> None:
    """Show how anomalous the row is, and why."""
    name = "" if scores.names is None else f" ({literal(scores.names[row].as_py())})"
    reasons = None if pictures.of_images(run) else scores.reasons[row].as_py()  # of images they are seen below
    status = "an alert" if alert else "not an alert"
    said, rank, p_value, score = st.columns([5, 1.8, 1.6, 2.1], vertical_alignment="center")
    said.header(f"Row {row}{name} is {status}" + (f": {literal(reasons)}" if reasons else ""), anchor=False)
    title = literal(formatting.score(data.score_unit(run.model)))
    rank.metric("Rank", f"{scores.rank[row] + 1:,} of {len(scores.order):,}")
    p_value.metric(
        "p-value",
        formatting.figure(scores.p_value[row]),
        help="Share of normal rows with an anomaly score at least this high.",
    )
    score.metric(title, formatting.figure(scores.score[row]), help="Higher = more anomalous.")


def raw(values: dict[str, Any]) -> None:
    """Show the row's cells as they are in the table."""
    with st.expander("All values of the row", icon=":material/table_rows:"):
        shown = pd.DataFrame({"column": list(values), "value": [formatting.cell(value) for value in values.values()]})
        st.dataframe(
            plain_table(shown), hide_index=True, column_config={"column": "Column", "value": "Value"}, alt="Raw row"
        )


st.title("Row", anchor=False)
everything = data.runs()
found = [run for run in everything if run.verb == "score" and run.summary.get("rows")]
if not found:
    navigation.empty(
        "No table has been scored yet", "Score a table on the Start page; each of its rows can then be opened here."
    )

shown = bar(found, everything)
run = shown.run
scores = data.scores(run)
alert = shown.alerts(scores)
row_box, before, after, link = st.columns([2, 1.4, 1.4, 1.4], vertical_alignment="bottom")
row = row_in_view(scores)
row_box.number_input("Row, counted from 0", 0, len(scores.score) - 1, None, 1, key="row", bind="query-params")
rows, at, part = listing.around(run.id, row, scores)
steps(before, after, rows, at)
with link.popover("Link", icon=":material/link:", width="stretch"):
    st.caption("This address always opens this row:")
    st.code(f"{(st.context.url or '').partition('?')[0]}?run={run.id}&row={row}", language=None, wrap_lines=True)

headline(run, scores, row, bool(alert[row]))
if part:
    st.caption(f"Number {at + 1:,} of the {len(rows):,} rows listed on Alerts; previous and next go through that list.")
triage.of_row(run.id, row)
cells, values = data.cells(run, row), data.raw_row(run, row)
values = {name: values[name] for name in pictures.without_files(run, list(values))}
images = pictures.of_images(run)
filled = navigation.companion(run, [other for other in everything if other.verb == "impute"])
if images:
    detail.show(run, row, filled)
if reading.of_series(run):
    panel.on_row(run, row, [] if cells.empty else cells["column"].tolist(), open_row)
if cells.empty:
    explain_now.offer(run, row, int(scores.rank[row]) + 1)
elif images:
    detail.regions(run, cells)
else:
    explained.show(run, cells)
if not images:
    repaired = navigation.companion(run, [other for other in everything if other.verb == "repair"])
    row_suggestion.of_row(run, repaired, row, bool(alert[row]))
if not cells.empty:
    neighbours.show(run, row, values, cells["column"].tolist())
earlier.show(run, scores, row, found)
if values:
    raw(values)
back, repairs = st.columns(2)
if back.button("Back to the alerts", icon=":material/arrow_back:"):
    navigation.go("alerts", run=run.id)
if filled is not None and not images and repairs.button("Imputed cells of this row", icon=":material/healing:"):
    navigation.go("repairs", run=filled.id, fill_row=row)
