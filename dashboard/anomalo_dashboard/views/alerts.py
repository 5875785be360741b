"""Alerts: the rows of a run, strangest first, to filter, and to open one."""

from __future__ import annotations

import numpy as np
import streamlit as st

from anomalo_dashboard import charts, data, formatting, navigation

STOPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0)
AS_RUN = "as in the run"


def threshold(rule: str) -> tuple[list[str], str]:
    """Return the slider's stops in percent, and the one that means what the run used."""
    kind, _, value = rule.partition("=")
    if kind != "share":
        return [AS_RUN, *map(str, STOPS)], AS_RUN
    own = float(f"{100 * float(value):.6g}")
    return [str(stop) for stop in sorted({*STOPS, own})], str(own)


def alerts_at(scores: data.Scores, stop: str, own: str) -> data.Mask:
    """Return which rows are alerts at a stop of the slider."""
    if stop == own:
        return scores.alert
    return np.asarray(scores.p_value <= float(stop) / 100)


st.title("Alerts", anchor=False)
everything = data.runs()
found = [run for run in everything if run.verb == "score"]
if not found:
    navigation.empty(
        "No table has been scored yet", "Give a table on the page Start; its strangest rows are listed here."
    )

left, right = st.columns([2, 3], vertical_alignment="center")
run = navigation.run_in_view(found, everything)
with left:
    navigation.run_box(found)
rule = run.summary.get("threshold", "share=0.01")
right.caption(
    f"{formatting.file_name(run.source)}, scored with {run.model} on {formatting.moment(run.created)}; "
    f"threshold of the run: {rule}"
)
for warning in run.summary.get("warnings", []):
    st.warning(warning, icon=":material/info:")
scores = data.scores(run)

stops, own = threshold(rule)
left, right = st.columns([2, 3], gap="large")
with left:
    stop = st.select_slider(
        "Alert on the strangest … % of normal rows",
        stops,
        own,
        key="percent",
        bind="query-params",
        on_change=navigation.first_page,
        help="A row is an alert if its p-value is at most this. Moving it changes this view, not the run.",
    )
    alert = alerts_at(scores, stop, own)
    alerts = int(alert.sum())
    then = int(scores.alert.sum())
    one, two, three = st.columns(3)
    one.metric(
        "Alerts now", f"{alerts:,}", None if alerts == then else f"{alerts - then:+,} to the run", delta_color="off"
    )
    two.metric("In the run", f"{then:,}")
    three.metric("Rows", f"{len(alert):,}")
with right:
    if len(alert):
        st.altair_chart(charts.histogram(scores.score, alert), alt="How many rows have which score")

text_box, column_box, only_box = st.columns([3, 2, 2], vertical_alignment="bottom")
text = text_box.text_input(
    "Search",
    key="text",
    bind="query-params",
    on_change=navigation.first_page,
    type="search",
    live=True,
    placeholder="in the row's id and in the reasons",
)
column = column_box.selectbox(
    "Column among the reasons",
    list(scores.columns),
    None,
    key="column",
    bind="query-params",
    on_change=navigation.first_page,
    placeholder="any column",
)
show = only_box.segmented_control(
    "Show",
    ["alerts", "all rows"],
    default="alerts",
    required=True,
    key="show",
    bind="query-params",
    on_change=navigation.first_page,
)
shown = scores.matching(text, column) & (alert if show == "alerts" else True)
rows = scores.order[shown[scores.order]]

if not len(rows):
    st.info("No row fits. Clear the search, take another column, or show all rows.", icon=":material/filter_alt_off:")
    st.stop()

pages = -(-len(rows) // data.PAGE)
summary, pager, export = st.columns([3, 4, 2], vertical_alignment="center")
with pager:
    number = st.pagination(pages, key="page", bind="query-params")
start = (number - 1) * data.PAGE
here = rows[start : start + data.PAGE]
summary.markdown(
    f"**{formatting.count(len(rows), 'row')}**, strangest first; these are {start + 1:,} to {start + len(here):,}"
)
export.download_button(
    "Save these rows",
    lambda: scores.table(rows, alert).to_csv(index=False).encode(),
    f"{run.id}-alerts.csv",
    "text/csv",
    icon=":material/download:",
    on_click="ignore",
    width="stretch",
    help=f"All {formatting.count(len(rows), 'row')} that are listed, on all pages, as CSV",
)
table = scores.table(here, alert)
st.dataframe(
    table.assign(open="Why?", because=table["because"].fillna("not explained")),
    hide_index=True,
    height="content",
    column_order=["open", *table.columns],
    column_config={
        "open": st.column_config.ButtonColumn("", key="open", width=70, type="tertiary"),
        "rank": st.column_config.NumberColumn("Rank", format="localized", width=60, help="1 is the strangest row"),
        "row": st.column_config.NumberColumn("Row", format="%d", width=70, help="Counted from 0 in the table"),
        "score": st.column_config.NumberColumn("Score", format=formatting.decimals(table["score"]), width=80),
        "p_value": st.column_config.NumberColumn(
            "p-value",
            format=formatting.decimals([table["p_value"].min()], 2),
            width=80,
            help="The share of normal rows that are at least as strange",
        ),
        "alert": st.column_config.CheckboxColumn("Alert", width=60),
        "because": st.column_config.TextColumn("Because", width=700 if scores.id is None else 560),
    },
    alt="Rows, strangest first",
)
clicked = st.session_state.get("open")
if clicked is not None:
    navigation.go("row", run=run.id, row=int(here[clicked.row]))
