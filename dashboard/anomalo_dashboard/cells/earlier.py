"""Earlier scores of the same id: the rows of other runs that are about the same thing."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from anomalo.jobs.scoring.earlier import EarlierScore, earlier_scores
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting, navigation
from anomalo_dashboard.security.literal import literal, plain_table


def show(run: RunRecord, scores: data.Scores, row: int, runs: Sequence[RunRecord]) -> None:
    """Show the scores that the id of a row had in other runs of the same model, with a button that opens each.

    Parameters
    ----------
    runs : sequence of RunRecord
        Runs of `score`, newest first.
    """
    value = None if scores.names is None else scores.names[row].as_py()
    others = [other for other in runs if other.id != run.id and _name(other) == _name(run)]
    if value is None or scores.id is None or not others:
        return
    found = _found(others, tuple(other.id for other in others), scores.id, value)
    if not found:
        return
    st.header(f"Other scores of {literal(value)}", anchor=False)
    st.dataframe(
        plain_table(table(found)),
        hide_index=True,
        height="content" if len(found) < 8 else 320,
        column_config={
            "open": st.column_config.ButtonColumn("", key="open_earlier", width=70, type="tertiary"),
            "when": st.column_config.TextColumn("When", width=140),
            "run": st.column_config.TextColumn("Run", width=120),
            "model": st.column_config.TextColumn("Model", width=150),
            "row": st.column_config.NumberColumn("Row", format="%d", width=80),
            "score": st.column_config.NumberColumn(
                "Anomaly score", format=formatting.decimals(one.score for one in found), width=120
            ),
            "p_value": st.column_config.NumberColumn(
                "p-value", format=formatting.decimals([min(one.p_value for one in found)], 2), width=100
            ),
            "alert": st.column_config.CheckboxColumn("Alert", width=60),
        },
        alt="Scores of the same id in other runs, newest first",
    )
    clicked = st.session_state.get("open_earlier")
    if clicked is not None and clicked.row < len(found):
        navigation.go("row", run=found[clicked.row].run, row=found[clicked.row].row)


def table(found: Sequence[EarlierScore]) -> pd.DataFrame:
    """Return earlier scores as they are shown."""
    return pd.DataFrame(
        {
            "open": ["Open"] * len(found),
            "when": [formatting.moment(one.created) for one in found],
            "run": [one.run for one in found],
            "model": [one.model for one in found],
            "row": [one.row for one in found],
            "score": [one.score for one in found],
            "p_value": [one.p_value for one in found],
            "alert": [one.alert for one in found],
        }
    )


def _name(run: RunRecord) -> str:
    return str(run.model).partition("@")[0]


@st.cache_data(max_entries=256, show_spinner="Searching other runs")
def _found(_runs: Sequence[RunRecord], known: tuple[str, ...], name: str, value: str) -> list[EarlierScore]:
    return earlier_scores(_runs, name, value)
