"""The charts of the pages, in colours that work on light and dark backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomalo.tabular import quantities
from anomalo_dashboard.security.literal import plain

NORMAL, ANOMALOUS, MARK = "#6b8e94", "#d9622b", "#8a8f98"
LINES = ["#2f8f9d", "#d9622b", "#7a6fb0", "#8a9a3b", "#b0567a", "#5b7fc7"]
BINS = 60
_PERCENT = alt.Axis(labelExpr="format(100 * datum.value, '.3~g') + ' %'", tickCount=4)
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
    chart: alt.LayerChart = bars + rule + strips
    return chart


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


def scatter(rows: pd.DataFrame, axes: tuple[str, str], name: str | None, height: int) -> alt.Chart:
    """Return rows in two dimensions, alerts on top; a click on one is the selection `PICKED`.

    Parameters
    ----------
    rows : DataFrame
        `x`, `y`, `row`, `score`, `p_value`, `alert`, `reasons`, and `id` if `name` is given.
    axes : tuple of two str
        Titles; empty ones hide the axes, for coordinates that mean nothing by themselves.
    name : str or None
        The title of the column that identifies the rows.
    height : int
        In pixels.
    """
    table = rows.assign(
        group=np.where(rows["alert"], "alerts", "other rows"),
        reasons=rows["reasons"].fillna("not explained").map(plain),
    )
    if name is not None:
        table["id"] = table["id"].map(plain, na_action="ignore")
    identity = [] if name is None else [alt.Tooltip("id:N", title=_heading(name))]
    is_alert = alt.datum.group == "alerts"
    picked = alt.selection_point(name=PICKED, fields=["row"], on="click", empty=False)
    chart: alt.Chart = (
        alt.Chart(table.sort_values("alert", kind="stable"), height=height)
        .mark_point(filled=True)
        .encode(
            x=alt.X("x:Q", title=axes[0], scale=alt.Scale(zero=False), axis=_coordinates(axes[0])),
            y=alt.Y("y:Q", title=axes[1], scale=alt.Scale(zero=False), axis=_coordinates(axes[1])),
            color=alt.Color(
                "group:N",
                scale=alt.Scale(domain=["other rows", "alerts"], range=[NORMAL, ANOMALOUS]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            size=alt.when(picked).then(alt.value(220)).when(is_alert).then(alt.value(45)).otherwise(alt.value(22)),
            opacity=alt.when(picked | is_alert).then(alt.value(0.9)).otherwise(alt.value(0.45)),
            tooltip=[
                alt.Tooltip("row:Q", format="d"),
                *identity,
                alt.Tooltip("score:Q", title="anomaly score", format=".4~g"),
                alt.Tooltip("p_value:Q", title="p-value", format=".4~g"),
                alt.Tooltip("reasons:N"),
            ],
        )
        .add_params(picked, alt.selection_interval(bind="scales"))
    )
    return chart


def _heading(name: str) -> str:
    """Return the name of a column as a heading in a tooltip, where Vega makes a picture or a title of some names."""
    return f"{plain(name)} " if name in ("image", "title") else plain(name)


def _coordinates(title: str) -> alt.Axis:
    return alt.Axis(tickCount=6) if title else alt.Axis(labels=False, ticks=False, domain=False, grid=False)


def alert_rates(runs: pd.DataFrame) -> alt.Chart:
    """Return the share of alerts of each run of a model, in the order of the runs.

    Parameters
    ----------
    runs : DataFrame
        `run`, `model`, `rate`, `alerts`, `rows`, `when`.
    """
    chart: alt.Chart = (
        alt.Chart(runs.assign(share=runs["rate"].map(quantities.percent)), height=300)
        .mark_bar(size=26, cornerRadiusTopLeft=2, cornerRadiusTopRight=2)
        .encode(
            x=alt.X("run:N", title="Run", sort=None, axis=alt.Axis(labelAngle=0, labelLimit=110)),
            y=alt.Y("rate:Q", title="Alert rate", axis=_PERCENT),
            color=alt.Color("model:N", scale=alt.Scale(range=LINES), legend=alt.Legend(title=None, orient="top")),
            tooltip=[
                alt.Tooltip("run:N", title="run"),
                alt.Tooltip("model:N", title="model"),
                alt.Tooltip("when:N", title="when"),
                alt.Tooltip("alerts:Q", title="alerts", format=","),
                alt.Tooltip("rows:Q", title="rows", format=","),
                alt.Tooltip("share:N", title="share"),
            ],
        )
    )
    return chart


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
