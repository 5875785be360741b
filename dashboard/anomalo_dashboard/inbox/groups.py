"""Incidents and over-represented values of the alerts, as chips that filter the list."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import streamlit as st

from anomalo.evaluation.alerts.incidents import Incident
from anomalo.evaluation.alerts.segments import Segment, over_represented
from anomalo.jobs.comparing.profiles import read_profile
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, navigation
from anomalo_dashboard.data import Mask
from anomalo_dashboard.inbox import filters
from anomalo_dashboard.security.literal import literal

MOST = 8
"""Incidents that are shown, at most."""
COLUMNS = 3
"""Columns of an incident that are named, at most."""
_CHIP = "segment"


def incidents(run: RunRecord, scores: data.Scores, alert: Mask) -> Mask | None:
    """Show the incidents as chips; return which rows are of the chosen one, or None."""
    key = f"incident of {run.id}"
    found = {str(each.number): each for each in scores.incidents.among(alert, scores.p_value)}
    if st.session_state.get(key) not in found:
        st.session_state.pop(key, None)
    if len(found) < 2:
        return None
    chosen = st.pills(
        f"{len(found):,} incidents: alerts with the same main reasons",
        list(found)[:MOST],
        format_func=lambda number: chip(found[number]),
        key=key,
        on_change=navigation.first_page,
        persist_state="session",
        width="stretch",
        wrap=False,
    )
    return None if chosen is None else np.asarray(scores.incidents.of_row == int(chosen))


def chip(incident: Incident) -> str:
    """Write an incident: its columns, how many alerts it has, and the smallest p-value."""
    names = ", ".join(map(literal, incident.columns[:COLUMNS]))
    more = len(incident.columns) - COLUMNS
    return f"{names}{f' + {more}' if more > 0 else ''} · **{incident.alerts:,}** · p {incident.p_value:.2g}"


def segments(run: RunRecord, alert: Mask) -> None:
    """Show the over-represented values as chips; one sets the filter by value."""
    with data.files_of(run):
        found = _segments(run.path, run.created, int(alert.sum()), alert)
    if not found:
        return
    st.pills(
        "Over-represented among the alerts",
        range(len(found)),
        format_func=lambda at: segment_chip(found[at]),
        key=_CHIP,
        on_change=_filter,
        args=(found,),
        wrap=False,
        help="Values whose share of the alerts is larger than their share of all rows, by Fisher's exact test at 5 % "
        "after correction for all values tested. Of rows that the run explained only.",
    )


def segment_chip(segment: Segment) -> str:
    """Write a segment: its value, its column, and how many times as frequent it is among the alerts."""
    if math.isinf(segment.lift):
        return f"{literal(segment.column)} {literal(segment.value)} **only in alerts**"
    times = f"{segment.lift:,.0f}" if segment.lift >= 10 else f"{segment.lift:.2g}"
    return f"{literal(segment.column)} {literal(segment.value)} **{times} ×**"


def _filter(found: list[Segment]) -> None:
    at = st.session_state.get(_CHIP)
    st.session_state[filters.COLUMN] = None if at is None else found[at].column
    st.session_state[filters.VALUE] = "" if at is None else found[at].value
    navigation.first_page()


@st.cache_data(max_entries=32)
def _segments(folder: Path, created: str, alerts: int, _alert: Mask) -> list[Segment]:
    path = folder / "rows.parquet"
    profile = read_profile(folder)
    if profile is None or not path.exists():
        return []
    names = ["row", *(column.name for column in profile.columns if column.family == "level")]
    known = [name for name in names if name in pq.read_schema(path).names]
    kept = pq.read_table(path, columns=known)
    return over_represented(kept.filter(pa.array(_alert[kept["row"].to_numpy()])), profile)
