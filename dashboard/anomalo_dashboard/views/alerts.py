"""Alerts: the rows of a run, most anomalous first, with a threshold, filters and a button that opens a row."""

from __future__ import annotations

import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.reviews import STATES
from anomalo_dashboard import charts, data, downloads, formatting, navigation, triage
from anomalo_dashboard.inbox.bar import bar
from anomalo_dashboard.security.literal import literal, plain, plain_table

st.title("Alerts", anchor=False)
everything = data.runs()
found = [run for run in everything if run.verb == "score"]
if not found:
    navigation.empty(
        "No table has been scored yet", "Score a table on the Start page; its most anomalous rows are then listed here."
    )

shown = bar(found, everything)
run = shown.run
for warning in run.summary.get("warnings", []):
    st.warning(literal(formatting.sentence(warning)), icon=":material/info:")
scores, title = data.scores(run), formatting.score(data.score_unit(run.model))

left, right = st.columns([2, 3], gap="large")
alert = shown.alerts(scores)
with left:
    alerts = int(alert.sum())
    in_run = int(scores.alert.sum())
    one, two, three = st.columns(3)
    one.metric(
        "Alerts",
        f"{alerts:,}",
        None if alerts == in_run else f"{alerts - in_run:+,}",
        delta_color="off",
    )
    two.metric("Alerts in the run", f"{in_run:,}")
    three.metric("Rows", f"{len(alert):,}")
with right:
    if len(alert):
        st.altair_chart(charts.histogram(scores.score, alert, title), alt="Histogram of anomaly scores")

text_box, column_box, state_box, only_box = st.columns([3, 2, 2, 2], vertical_alignment="bottom")
text = text_box.text_input(
    "Search",
    key="text",
    bind="query-params",
    on_change=navigation.first_page,
    type="search",
    live=True,
    placeholder="row id or reason",
)
column = column_box.selectbox(
    "Column in the reasons",
    list(scores.columns),
    None,
    plain,
    key="column",
    bind="query-params",
    on_change=navigation.first_page,
    placeholder="any column",
)
state = state_box.selectbox(
    "State",
    STATES,
    None,
    str.capitalize,
    key="state",
    bind="query-params",
    on_change=navigation.first_page,
    placeholder="any state",
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
said = triage.reviews().of(run.id)
matching = scores.matching(text, column) & (alert if show == "alerts" else True)
if state is not None:
    matching &= data.in_state(said, state, len(alert))
rows = scores.order[matching[scores.order]]

if not len(rows):
    st.info(
        "No row matches. Clear the search, choose another column or state, or show all rows.",
        icon=":material/filter_alt_off:",
    )
    st.stop()

summary, pager, download = st.columns([4, 4, 2], vertical_alignment="center")
with pager:
    span = navigation.one_page(len(rows), data.PAGE)
here = rows[span]
summary.markdown(
    f"**{quantities.count(len(rows), 'row')}**, most anomalous first; showing {span.start + 1:,} to {span.stop:,}"
)
downloads.csv_button(
    download,
    "Save these rows",
    lambda: scores.table(rows, alert),
    f"{run.id}-alerts.csv",
    f"{quantities.count(len(rows), 'listed row')}, of all pages, as CSV",
)
table = scores.table(here, alert)
table = plain_table(table.assign(reasons=table["reasons"].fillna("not explained"), state=data.states_of(said, here)))
actions = st.container()  # above the table, whose chosen rows they change
chosen = st.dataframe(
    table.assign(open="Why?"),
    hide_index=True,
    height="content",
    column_order=["open", *(str(name) for name in table if name not in ("open", "reasons")), "reasons"],
    on_select="rerun",
    selection_mode="multi-row",
    key=f"rows {run.id} {span.start}",
    column_config={
        "open": st.column_config.ButtonColumn("", key="open", width=70, type="tertiary"),
        "rank": st.column_config.NumberColumn("Rank", format="localized", width=60, help="1 is the most anomalous row"),
        "row": st.column_config.NumberColumn("Row", format="%d", width=70, help="Counted from 0 in the table"),
        "score": st.column_config.NumberColumn(
            "Anomaly score",
            format=formatting.decimals(table["score"]),
            width=125,
            help=f"{literal(title)}; higher = more anomalous",
        ),
        "p_value": st.column_config.NumberColumn(
            "p-value",
            format=formatting.decimals([table["p_value"].min()], 2),
            width=80,
            help="Share of normal rows with an anomaly score at least this high",
        ),
        "alert": st.column_config.CheckboxColumn("Alert", width=60),
        "state": st.column_config.TextColumn("State", width=100, help="What analysts say of the row"),
        "reasons": st.column_config.TextColumn("Reasons", width=555 if scores.id is None else 415),
    },
    alt="Rows, most anomalous first",
)
with actions:
    triage.of_rows(run.id, here[chosen.selection.rows].tolist())
clicked = st.session_state.get("open")
if clicked is not None:
    navigation.go("row", run=run.id, row=int(here[clicked.row]))
