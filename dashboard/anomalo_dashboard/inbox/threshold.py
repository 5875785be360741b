"""The histogram of scores, in which the threshold is moved by a click or by dragging."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from anomalo.calibration.thresholds import p_value_at
from anomalo_dashboard import charts, data, navigation
from anomalo_dashboard.inbox.bar import LARGEST

_CHART = "distribution"


def chart(scores: data.Scores, alert: data.Mask, title: str) -> None:
    """Show the histogram; a click or a dragged range sets the threshold at its left end."""
    st.altair_chart(
        charts.histogram(scores.score, alert, title),
        key=_CHART,
        on_select=lambda: _moved(scores),
        selection_mode=[charts.CLICKED, charts.RANGE],
        alt="Histogram of anomaly scores with the threshold",
    )


def _moved(scores: data.Scores) -> None:
    score = chosen_score(st.session_state.get(_CHART))
    if score is not None:
        st.session_state[navigation.THRESHOLD] = percent_at(score, scores)
        navigation.first_page()


def chosen_score(event: Any) -> float | None:
    """Return the score at which a click or a range of the chart begins; None if nothing is chosen."""
    selection = (event or {}).get("selection", {})
    ends = (selection.get(charts.RANGE) or {}).get("low") or []
    points = selection.get(charts.CLICKED) or []
    found = [float(end) for end in ends] or [float(point["low"]) for point in points if "low" in point]
    return min(found, default=None)


def percent_at(score: float, scores: data.Scores) -> float:
    """Return the threshold, in percent, up to which the rows with at least this score are alerts, in few digits."""
    p_value = p_value_at(score, scores.p_value, scores.score)
    if p_value <= 0:
        return 0.0
    digits = 10.0 ** (3 - math.floor(math.log10(100 * p_value)))
    return min(math.ceil(100 * p_value * digits * (1 - 1e-12)) / digits, LARGEST)
