"""The parts of the page Repairs: what was imputed, what is suggested for alerts, and what cleaning corrects."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import navigation

PARTS = {"impute": "Imputed", "repair": "Suggested for alerts", "clean": "Corrections"}
"""The verbs whose runs suggest cells, and what the parts are called."""


def of_table(run: RunRecord, runs: Sequence[RunRecord]) -> dict[str, RunRecord]:
    """Return by verb the newest runs of the table of `run`, by the same model where both have one."""
    found = {}
    for verb in PARTS:
        same = [other for other in runs if other.verb == verb and other.source == run.source]
        alike = [other for other in same if other.model == run.model or None in (other.model, run.model)]
        if alike:
            found[verb] = alike[0]
    return found | {run.verb: run}


def part_box(run: RunRecord, runs: Sequence[RunRecord]) -> None:
    """Let the user choose the part; another one is another run of the same table, which is in the URL."""
    parts = of_table(run, runs)
    key = f"part of {run.id}"

    def turn() -> None:
        st.session_state["run"] = parts[st.session_state[key]].id
        navigation.first_page("fill_page")

    st.segmented_control(
        "Part",
        [verb for verb in PARTS if verb in parts],
        default=run.verb,
        required=True,
        format_func=PARTS.__getitem__,
        key=key,
        on_change=turn,
        label_visibility="collapsed",
    )
