"""The row beside the list: why it is anomalous, and what analysts say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.reviews import Review
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting, navigation, triage
from anomalo_dashboard.data import Rows
from anomalo_dashboard.images import detail, pictures
from anomalo_dashboard.inbox import cursor
from anomalo_dashboard.inbox.enter_key import OPEN
from anomalo_dashboard.security.literal import literal, plain_table

MOST = 8
"""Cells that are shown, at most."""


def show(
    run: RunRecord,
    scores: data.Scores,
    rows: Rows,
    at: int,
    alert: bool,
    said: Mapping[int, Review],
    ticked: Sequence[int],
    who: str,
) -> None:
    """Show one row of the list, with buttons for the next and the previous one.

    Parameters
    ----------
    rows : int [k]
        The rows of the list, in its order.
    at : int
        The position of the row in it.
    alert : bool
        Whether the row is an alert at the threshold in view.
    said : dict of int to Review
        What is said of the rows of the run.
    ticked : sequence of int
        Rows that the states are given to, instead of this one.
    who : str
        Who makes the changes.
    """
    row = int(rows[at])
    _steps(run, rows, at)
    name = "" if scores.names is None else f" ({literal(scores.names[row].as_py())})"
    st.header(f"Row {row}{name}", anchor=False)
    unit = data.score_unit(run.model)
    st.caption(
        f"{'Alert' if alert else 'No alert'} · rank {scores.rank[row] + 1:,} of {len(scores.order):,} · "
        f"p {scores.p_value[row]:.4g} · score {scores.score[row]:.4g}"
        + (f" {literal(unit)}" if unit and not unit[0].isdigit() else "")
    )
    states(run, rows, at, said, ticked, who)
    if pictures.of_images(run):
        detail.beside(run, row)
    _cells(run, row)
    _reviewed(run, row, said.get(row, Review()), who)


def states(run: RunRecord, rows: Rows, at: int, said: Mapping[int, Review], ticked: Sequence[int], who: str) -> None:
    """Show the buttons that mark this row, which is then followed by the next one, or the ticked rows."""
    row = int(rows[at])
    if ticked:
        st.markdown(f"Mark **{quantities.count(len(ticked), 'chosen row')}** as")
    now = "" if ticked else said.get(row, Review()).state
    following = int(rows[min(at + 1, len(rows) - 1)])
    first, second = st.columns(2, gap="small"), st.columns(2, gap="small")
    after = None if ticked else partial(cursor.go, following)
    triage.buttons((*first, *second), run.id, list(ticked) or [row], who, now, after)
    triage.undo_box(run.id, who)


def _steps(run: RunRecord, rows: Rows, at: int) -> None:
    before, after, whole = st.columns([1, 1, 1.25], gap="small")
    for column, label, icon, to, key in (
        (before, "Previous", "arrow_upward", at - 1, "K"),
        (after, "Next", "arrow_downward", at + 1, "J"),
    ):
        inside = 0 <= to < len(rows)
        column.button(
            label,
            icon=f":material/{icon}:",
            key=f"inbox {key}",
            on_click=cursor.go,
            args=(int(rows[to]) if inside else 0,),
            disabled=not inside,
            width="stretch",
            shortcut=key,
        )
    if whole.button("Open", icon=":material/open_in_full:", key=OPEN, width="stretch", shortcut="Enter"):
        navigation.go("row", run=run.id, row=int(rows[at]))


def _cells(run: RunRecord, row: int) -> None:
    found = data.cells(run, row)
    if found.empty:
        st.caption("The run gave no reasons for this row; its page says how to get them.")
        return
    found = found.head(MOST)
    observed, expected = formatting.pairs(found["observed"], found["expected"])
    table = pd.DataFrame(
        {
            "column": found["column"],
            "share": 100 * found["contribution"] / max(float(found["contribution"].sum()), 1e-12),
            "observed": ["missing" if text is None else text for text in observed],
            "expected": ["" if text is None else text or "missing" for text in expected],
        }
    )
    st.dataframe(
        plain_table(table),
        hide_index=True,
        height="content",
        column_config={
            "column": st.column_config.TextColumn("Region" if pictures.of_images(run) else "Column", width=115),
            "share": st.column_config.ProgressColumn(
                "Reason", format="%.0f %%", min_value=0, max_value=100, width=90, help="Share of the anomaly score"
            ),
            "observed": st.column_config.TextColumn("Observed", width=95),
            "expected": st.column_config.TextColumn(
                "Expected", width=95, help="What the model expects, given the other cells of the row"
            ),
        },
        alt="Cells of the row, largest contribution first",
    )


def _reviewed(run: RunRecord, row: int, review: Review, who: str) -> None:
    for text in review.comments:
        st.markdown(f"> {literal(text)}")
    triage.notes(st.columns([1, 1.6]), run.id, row, review, who)
    values = data.raw_row(run, row)
    values = {name: values[name] for name in pictures.without_files(run, list(values))}
    if values:
        with st.expander("All values of the row", icon=":material/table_rows:"):
            texts = [formatting.plain(value) for value in values.values()]
            shown = pd.DataFrame({"column": list(values), "value": texts})
            st.dataframe(
                plain_table(shown), hide_index=True, column_config={"column": "Column", "value": "Value"}, alt="Raw row"
            )
