"""The charts of the pages, in colours that work on light and dark backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomalo_dashboard.security.literal import plain

NORMAL, ANOMALOUS, MARK = "#6b8e94", "#d9622b", "#8a8f98"
BINS, RANKS = 60, 400
PICKED = "picked"
"""The name of the selection that holds the clicked point."""
CLICKED, RANGE = "clicked", "range"
"""The names of the selections of a histogram: the clicked bar, and the range that was dragged."""


def histogram(score: NDArray[np.float64], alert: NDArray[np.bool_], title: str) -> alt.LayerChart:
    """Return a histogram of anomaly scores, alerts in another colour, with a line at the lowest score of an alert.

    A click on a bar is the selection `CLICKED`, a range that is dragged the selection `RANGE`.

    Parameters
    ----------
    score : float64 [n]
        Of at least one row.
    alert : bool [n]
        Which rows are alerts.
    title : str
        The name of the score and its unit.
    """
    edges = _edges(score)
    scale = alt.Scale(type="log" if edges[0] > 0 else "linear", domain=[edges[0], edges[-1]], nice=False)
    table = _bars(score, alert, edges)
    bars = (
        alt.Chart(table, height=240)
        .mark_bar(opacity=0.85)
        .encode(
            x=alt.X("low:Q", title=f"{plain(title)}; higher = more anomalous", scale=scale, axis=alt.Axis(tickCount=8)),
            x2="high:Q",
            y=alt.Y(
                "rows:Q", title="Rows (log scale)", scale=alt.Scale(type="symlog"), stack=None, axis=_counts(table)
            ),
            y2="zero:Q",
            color=alt.Color(
                "group:N",
                scale=alt.Scale(domain=["other rows", "alerts"], range=[NORMAL, ANOMALOUS]),
                legend=alt.Legend(title=None, orient="top"),
            ),
        )
        .add_params(alt.selection_interval(name=RANGE, encodings=["x"], mark=alt.BrushConfig(cursor="ew-resize")))
    )
    # Bars may be low: what is clicked and pointed at is the whole height.
    strips = (
        alt.Chart(_strips(score, alert, edges))
        .mark_rect(opacity=0, cursor="pointer")
        .encode(
            x="low:Q",
            x2="high:Q",
            tooltip=[
                alt.Tooltip("low:Q", title="score from", format=".4~g"),
                alt.Tooltip("high:Q", title="to", format=".4~g"),
                alt.Tooltip("rows:Q", format=","),
                alt.Tooltip("alerts:Q", format=","),
            ],
        )
        .add_params(alt.selection_point(name=CLICKED, fields=["low"], on="click", empty=False))
    )
    at = pd.DataFrame({"low": score[alert].min(keepdims=True)} if alert.any() else {"low": []}, dtype=float)
    rule = alt.Chart(at).mark_rule(color=ANOMALOUS, strokeDash=[4, 3], strokeWidth=2).encode(x="low:Q")
    chart: alt.LayerChart = bars + rule + strips + _count_while_dragging(score)
    return chart


def _count_while_dragging(score: NDArray[np.float64]) -> alt.Chart:
    """Return a text that says how many rows have at least the score where the dragged range begins.

    The browser finds it as the range moves, among ranks that it was given; the page counts exactly once it is let go.
    """
    said = "'about ' + format(datum.rows, ',') + (datum.rows == 1 ? ' row' : ' rows') + ' from ' + "
    text: alt.Chart = (
        alt.Chart(_ranks(score))
        .transform_filter({"param": RANGE, "empty": False})
        .transform_aggregate(rows="max(rows)", low="min(low)")
        .transform_filter("isValid(datum.low)")
        .transform_calculate(text=f"{said}format(datum.low, '.3~g')")
        .mark_text(align="right", baseline="bottom", color=ANOMALOUS, fontSize=14, fontWeight="bold")
        .encode(x=alt.value("width"), y=alt.value(-10), text="text:N")
    )
    return text


def _ranks(score: NDArray[np.float64]) -> pd.DataFrame:
    """Return scores with how many rows have at least as much: of the highest ones each, below ever fewer of them."""
    ascending = np.sort(score)
    ranks = np.unique(np.geomspace(1, len(score), RANKS).astype(np.int64))
    low = np.unique(ascending[len(score) - ranks])
    return pd.DataFrame({"low": low, "rows": len(score) - np.searchsorted(ascending, low)})


def _bars(score: NDArray[np.float64], alert: NDArray[np.bool_], edges: NDArray[np.float64]) -> pd.DataFrame:
    bars = []
    for name, chosen in (("other rows", ~alert), ("alerts", alert)):
        number, _ = np.histogram(score[chosen], edges)
        bars.append(pd.DataFrame({"low": edges[:-1], "high": edges[1:], "rows": number, "group": name}))
    return pd.concat(bars).query("rows > 0").assign(zero=0)


def _strips(score: NDArray[np.float64], alert: NDArray[np.bool_], edges: NDArray[np.float64]) -> pd.DataFrame:
    every, alerts = np.histogram(score, edges)[0], np.histogram(score[alert], edges)[0]
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "rows": every, "alerts": alerts})


def _edges(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bins of equal width; of equal ratio where all scores are positive and far apart."""
    low, high = float(score.min()), float(score.max())
    if low > 0 and high > 20 * low:
        return np.geomspace(low, high * (1 + 1e-9), BINS + 1)
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def _counts(table: pd.DataFrame) -> alt.Axis:
    top = max(int(table["rows"].max()), 1)
    values = [10**power for power in range(len(str(top)))]
    return alt.Axis(values=values, format=",d")


def training(history: Sequence[dict[str, Any]], best: dict[str, int]) -> alt.LayerChart:
    """Return the loss by epoch, with a mark at the best epoch of each phase.

    Parameters
    ----------
    history : sequence of dict
        `phase`, `epoch`, `loss` and, where rows were held out, `validation_loss`.
    best : dict of str to int
        The best epoch of each phase.
    """
    table = _losses(history)
    several = table["phase"].nunique() > 1
    lines = (
        alt.Chart(table, height=300)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title="Epoch (pass over the training rows)", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("loss:Q", title="Loss (lower is better)", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "rows:N",
                scale=alt.Scale(domain=["training rows", "held-out rows"], range=[NORMAL, ANOMALOUS]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            **(
                {"strokeDash": alt.StrokeDash("phase:N", legend=alt.Legend(title="Phase", orient="top"))}
                if several
                else {}
            ),
            tooltip=["phase:N", "epoch:Q", "rows:N", alt.Tooltip("loss:Q", format=".4~g")],
        )
    )
    marks = pd.DataFrame({"epoch": list(best.values()), "text": [f"best: epoch {epoch}" for epoch in best.values()]})
    rule = alt.Chart(marks).mark_rule(color=MARK, strokeDash=[4, 3]).encode(x="epoch:Q")
    label = alt.Chart(marks).mark_text(align="right", dx=-5, y=8, color=MARK).encode(x="epoch:Q", text="text:N")
    chart: alt.LayerChart = lines + rule + label
    return chart


def _losses(history: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return one line for each epoch and set of rows."""
    names = {"loss": "training rows", "validation_loss": "held-out rows"}
    return pd.DataFrame(
        [
            {"phase": entry.get("phase") or "training", "epoch": entry["epoch"], "rows": rows, "loss": entry[name]}
            for entry in history
            for name, rows in names.items()
            if entry.get(name) is not None
        ]
    )
