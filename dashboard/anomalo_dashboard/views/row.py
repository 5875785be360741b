"""Row: one row of a run, with the contribution of each cell to its anomaly score."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from anomalo.tabular.quantities import Unit
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting, job_progress, navigation, sources, triage
from anomalo_dashboard.inbox.bar import bar
from anomalo_dashboard.repairing import row_suggestion
from anomalo_dashboard.security.literal import literal, plain_table


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


def step(scores: data.Scores, by: int) -> None:
    """Go to the next row by rank; called before the page is drawn again."""
    rank = int(scores.rank[st.session_state.get("row") or 0]) + by
    st.session_state["row"] = int(scores.order[rank])


def headline(run: RunRecord, scores: data.Scores, row: int, alert: bool) -> None:
    """Show how anomalous the row is, and why."""
    name = "" if scores.names is None else f" ({literal(scores.names[row].as_py())})"
    reasons = scores.reasons[row].as_py()
    status = "an alert" if alert else "not an alert"
    st.header(f"Row {row}{name} is {status}" + (f": {literal(reasons)}" if reasons else ""), anchor=False)
    rank, p_value, score = st.columns(3)
    title = literal(formatting.score(data.score_unit(run.model)))
    rank.metric("Rank", f"{scores.rank[row] + 1:,} of {len(scores.order):,}", border=True)
    p_value.metric(
        "p-value",
        f"{scores.p_value[row]:.4g}",
        border=True,
        help="Share of normal rows with an anomaly score at least this high.",
    )
    score.metric(title, f"{scores.score[row]:.4g}", border=True, help="Higher = more anomalous.")


def table(found: pd.DataFrame, kinds: dict[str, str], units: dict[str, Unit]) -> pd.DataFrame:
    """Return the explained cells as they are shown."""
    observed, expected = formatting.pairs(found["observed"], found["expected"])
    return pd.DataFrame(
        {
            "column": found["column"],
            "contribution": found["contribution"],
            "observed": ["missing" if text is None else text for text in observed],
            "expected": ["" if text is None else text or "missing" for text in expected],
            "interval": formatting.intervals(found, kinds, units),
        }
    )


def show_cells(run: RunRecord, found: pd.DataFrame) -> None:
    """Show the explained cells, largest contribution first."""
    st.header("Cell by cell", anchor=False)
    most, unit = max(float(found["contribution"].max()), 1e-9), data.score_unit(run.model)
    st.dataframe(
        plain_table(table(found, data.column_kinds(run.model), data.column_units(run.model))),
        hide_index=True,
        height="content",
        column_config={
            "column": st.column_config.TextColumn("Column", width=190),
            "contribution": st.column_config.ProgressColumn(
                # A range such as "0 to 1" is that of whole scores, not of their parts.
                "Contribution to the score" + (f" ({unit})" if unit and not unit[0].isdigit() else ""),
                format=formatting.decimals([most]),
                min_value=0.0,
                max_value=most,
                width="medium",
                help="How much this cell adds to the row's anomaly score",
            ),
            "observed": st.column_config.TextColumn("Observed", width="small"),
            "expected": st.column_config.TextColumn(
                "Expected", width="small", help="What the model expects, given the other cells of the row"
            ),
            "interval": st.column_config.TextColumn(
                "90 % interval",
                width="small",
                help="Contains the true value in nine of ten cells; numbers and dates only",
            ),
        },
        alt="Cells of the row, largest contribution first",
    )


def not_explained(run: RunRecord, rank: int) -> None:
    """Say how to explain a row that has no reasons."""
    st.info(
        f"This row has no reasons: the run explained its {run.summary.get('explained', 0):,} most anomalous rows, and "
        f"this one has rank {rank:,}. To explain it too, score the table again:",
        icon=":material/info:",
    )
    command = ["score", run.source, "--with", str(run.model), "--explain", str(rank), *sources.flags(run)]
    st.code(job_progress.shell([command]), language="shell", wrap_lines=True)


def raw(values: dict[str, Any]) -> None:
    """Show the row's cells as they are in the table."""
    with st.expander("All values of the row", icon=":material/table_rows:"):
        shown = pd.DataFrame({"column": list(values), "value": [formatting.plain(value) for value in values.values()]})
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
rank = int(scores.rank[row])
before.button(
    "Previous",
    icon=":material/arrow_back:",
    on_click=step,
    args=(scores, -1),
    disabled=rank == 0,
    width="stretch",
    help="The row one rank up, more anomalous",
    shortcut="K",
)
after.button(
    "Next",
    icon=":material/arrow_forward:",
    on_click=step,
    args=(scores, 1),
    disabled=rank == len(scores.order) - 1,
    width="stretch",
    help="The row one rank down, less anomalous",
    shortcut="J",
)
with link.popover("Link", icon=":material/link:", width="stretch"):
    st.caption("This address always opens this row:")
    st.code(f"{(st.context.url or '').partition('?')[0]}?run={run.id}&row={row}", language=None, wrap_lines=True)

headline(run, scores, row, bool(alert[row]))
triage.of_row(run.id, row)
repaired = navigation.companion(run, [other for other in everything if other.verb == "repair"])
row_suggestion.of_row(run, repaired, row, bool(alert[row]))
explained = data.cells(run, row)
if explained.empty:
    not_explained(run, rank + 1)
else:
    show_cells(run, explained)
values = data.raw_row(run, row)
if values:
    raw(values)
back, repairs = st.columns(2)
if back.button("Back to the alerts", icon=":material/arrow_back:"):
    navigation.go("alerts", run=run.id)
filled = navigation.companion(run, [other for other in everything if other.verb == "impute"])
if filled is not None and repairs.button("Imputed cells of this row", icon=":material/healing:"):
    navigation.go("repairs", run=filled.id, fill_row=row)
