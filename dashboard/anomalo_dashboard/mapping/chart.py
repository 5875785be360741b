"""The chart of the map: rows as points, on tiles that count the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomalo_dashboard import data
from anomalo_dashboard.charts import ANOMALOUS, MARK, NORMAL, PICKED
from anomalo_dashboard.mapping.cloud import Cloud
from anomalo_dashboard.mapping.colours import Colours
from anomalo_dashboard.security.literal import plain

AREA = "area"
"""The name of the selection that holds a rectangle."""
HEIGHT = 340
MOVE, RECTANGLE, LASSO = "move", "rectangle", "lasso"
"""What dragging does."""
SCALE = ["#3f7fd0", "#a58fa5", "#e0632b"]
"""Of numbers: to be seen on light and dark backgrounds."""


def table(
    cloud: Cloud, scores: data.Scores, drawn: data.Rows, colours: Colours, pictures: Sequence[str | None] = ()
) -> pd.DataFrame:
    """Return the points that are drawn, the most anomalous last, so that they lie on top.

    Parameters
    ----------
    pictures : sequence of str or None
        Addresses of pictures of the first rows of `drawn`, of which one is shown where the mouse is.
    """
    at = np.searchsorted(cloud.rows, drawn)
    found = scores.table(drawn, scores.alert).rename(columns={scores.id: "id"})
    found = found.assign(x=cloud.x[at], y=cloud.y[at], colour=colours.values)
    found["reasons"] = found["reasons"].fillna("not explained").map(plain)
    if scores.id is not None:
        found["id"] = found["id"].map(plain, na_action="ignore")
    if pictures:  # an empty address is no picture; of null, Vega makes a picture that is not found
        found["image"] = [*(address or "" for address in pictures), *[""] * (len(drawn) - len(pictures))]
        found["said"] = [
            f"row: {row}; anomaly score: {score:.4g}" for row, score in zip(drawn, found["score"], strict=True)
        ]
    return found[::-1].sort_values("alert", kind="stable")


def draw(
    points: pd.DataFrame,
    tiles: pd.DataFrame,
    cloud: Cloud,
    colours: Colours,
    name: str | None,
    drag: str,
    line: NDArray[np.float64] | None = None,
) -> alt.LayerChart:
    """Return the chart; a click on a point is the selection `PICKED`, a drawn rectangle `AREA`.

    Parameters
    ----------
    points, tiles : DataFrame
        See `table` and `layers.counts`.
    name : str or None
        The title of the column that identifies the rows.
    drag : {"move", "rectangle", "lasso"}
        What dragging does: the wheel zooms where it moves the map.
    line : float64 [k, 2], optional
        What was drawn by the lasso.
    """
    picked = alt.selection_point(name=PICKED, fields=["row"], on="click", empty=False)
    dragged = {MOVE: [alt.selection_interval(bind="scales")], RECTANGLE: [alt.selection_interval(name=AREA)], LASSO: []}
    identity = [] if name is None else [alt.Tooltip("id:N", title=heading(name))]
    value = [alt.Tooltip(f"colour:{'N' if colours.levels else 'Q'}", title=heading(colours.title))]
    is_alert = alt.datum.alert
    dots = (
        alt.Chart(points)
        .mark_point(filled=True, invalid="show")
        .encode(
            x=alt.X("x:Q", title=cloud.axes[0], scale=_scale(cloud, 0), axis=_axis(cloud.axes[0])),
            y=alt.Y("y:Q", title=cloud.axes[1], scale=_scale(cloud, 1), axis=_axis(cloud.axes[1])),
            color=_colour(colours),
            size=alt.when(picked).then(alt.value(220)).when(is_alert).then(alt.value(55)).otherwise(alt.value(22)),
            opacity=alt.when(picked | is_alert).then(alt.value(0.9)).otherwise(alt.value(0.5)),
            # Else a screen reader reads the addresses of pictures, which hold them.
            **({"description": alt.Description("said:N")} if "said" in points else {}),
            tooltip=[
                alt.Tooltip("row:Q", format="d"),
                *identity,
                *(value if colours.title else []),
                alt.Tooltip("score:Q", title="anomaly score", format=".4~g"),
                alt.Tooltip("p_value:Q", title="p-value", format=".4~g"),
                alt.Tooltip("reasons:N"),
                *([alt.Tooltip("image:N")] if "image" in points else []),
            ],
        )
        .add_params(picked, *dragged[drag])
    )
    layers = [*_tiles(tiles, cloud), dots, *([] if line is None else [_line(line, cloud)])]
    chart: alt.LayerChart = (
        alt.layer(*layers)
        .resolve_scale(color="independent")
        .properties(height=HEIGHT)
        .configure_scale(invalid={"color": {"value": MARK}})  # a missing cell is grey
    )
    return chart


def _tiles(tiles: pd.DataFrame, cloud: Cloud) -> list[alt.Chart]:
    """Return the layer of counts, and above it one of the alerts that are no points."""
    found = []
    for field, colour, hint in (("rows", NORMAL, "rows here"), ("alerts", ANOMALOUS, "alerts here")):
        some = tiles[tiles[field] > 0]
        if len(some):
            scale = alt.Scale(type="log", range=[0.12, 0.6], domain=[1, max(float(some[field].max()), 2.0)])
            found.append(
                alt.Chart(some)
                .mark_rect(color=colour)
                .encode(
                    x=alt.X("x:Q", scale=_scale(cloud, 0)),
                    x2="x2:Q",
                    y=alt.Y("y:Q", scale=_scale(cloud, 1)),
                    y2="y2:Q",
                    opacity=alt.Opacity(f"{field}:Q", scale=scale, legend=None),
                    tooltip=[alt.Tooltip(f"{field}:Q", title=hint, format=",")],
                )
            )
    return found


def _colour(colours: Colours) -> alt.Color:
    title = heading(colours.title) or None
    if colours.levels:
        scale = alt.Scale(domain=colours.levels, range=colours.colours)
        return alt.Color("colour:N", scale=scale, legend=alt.Legend(title=title, orient="right" if title else "top"))
    known = np.array([value for value in colours.values if value is not None])
    low, high = np.quantile(known, [0.02, 0.98]) if len(known) else (0.0, 1.0)
    scale = alt.Scale(range=SCALE, domain=[float(low), float(high)], clamp=True)
    form = ".6~f" if max(abs(low), abs(high)) > 0.01 else ".3~g"  # years are not 2,020 or 2.02k
    legend = alt.Legend(title=title, orient="right", gradientLength=200, format=form)
    return alt.Color("colour:Q", scale=scale, legend=legend)


def _line(corners: NDArray[np.float64], cloud: Cloud) -> alt.Chart:
    closed = pd.DataFrame(np.concatenate([corners, corners[:1]]), columns=["x", "y"]).reset_index(names="order")
    line: alt.Chart = (
        alt.Chart(closed)
        .mark_line(color=MARK, strokeDash=[4, 3])
        .encode(x=alt.X("x:Q", scale=_scale(cloud, 0)), y=alt.Y("y:Q", scale=_scale(cloud, 1)), order="order:Q")
    )
    return line


def _scale(cloud: Cloud, axis: int) -> alt.Scale:
    log = axis == 1 and cloud.log
    return alt.Scale(type="log" if log else "linear", domain=list(cloud.sides[axis]), nice=False)


def _axis(title: str) -> alt.Axis:
    return alt.Axis(tickCount=6) if title else alt.Axis(labels=False, ticks=False, domain=False, grid=False)


def heading(name: str) -> Any:
    """Return the name of a column as a heading in a tooltip, where Vega makes a picture or a title of some names."""
    return f"{plain(name)} " if name in ("image", "title") else plain(name)
