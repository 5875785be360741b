"""The chart of one channel over time: its line, what was expected, gaps, intervals of alerts and changes."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from anomalo_dashboard.charts import ANOMALOUS, MARK, NORMAL
from anomalo_dashboard.security.literal import plain

CLICKED = "interval"
"""The name of the selection that holds the clicked interval."""
HEIGHT, AXIS, LINE = 190, 60, 22
"""Of the chart of a number, and of that of a category: its axis of times, and each level."""
EXPECTED = "#3f7fd0"
CHANGED = "#a06fc4"
DOTS = 250
"""So few points of a line are drawn as dots, too."""


def draw(parts: dict[str, pd.DataFrame], title: str, dated: bool, span: tuple[float, float]) -> alt.LayerChart:
    """Return the chart; a click on an interval is the selection `CLICKED`.

    Parameters
    ----------
    parts : dict of str to DataFrame
        `line` (`time`, `value`, `row`, `piece`, `when`), `band` (`time`, `low`, `high`, `expected`, `piece`), `gaps`
        (`start`, `end`), `intervals` (`start`, `end`, `peak_row`, `said`), `changes` (`start`, `said`), `row` (`time`).
    title : str
        The channel.
    dated : bool
        Whether times are milliseconds since 1970, or numbers.
    span : (float, float)
        From when to when.
    """
    x = _Times(dated, span)
    line, few = parts["line"], len(parts["line"]) <= DOTS
    layers: list[Any] = [_stretches(parts["intervals"], x).mark_rect(color=ANOMALOUS, opacity=0.2, aria=False)]
    if len(parts["gaps"]):
        layers.append(_stretches(parts["gaps"], x).mark_rect(color=MARK, opacity=0.22, aria=False))
    if len(parts["changes"]):
        layers.append(
            alt.Chart(parts["changes"])
            .mark_rule(color=CHANGED, strokeWidth=2, strokeDash=[6, 4], aria=False)
            .encode(x=x.of("start"), tooltip=[alt.Tooltip("said:N", title="change")])
        )
    if len(parts["band"]):
        layers += _band(parts["band"], x, _value("low", title))
    base = alt.Chart(line).encode(x=x.of("time", "Time"), y=_value("value", title), detail="piece:N")
    layers += [base.mark_line(color=NORMAL, strokeWidth=1.5, aria=False), _clickable(parts["intervals"], x)]
    size = line.groupby("piece")["piece"].transform("size") if len(line) else line["piece"]
    dots = line if few else line[size == 1]  # a point between two gaps has no line
    layers.append(
        alt.Chart(dots)
        .mark_point(filled=True, color=NORMAL, size=22, opacity=1, aria=False)
        .encode(
            x=x.of("time"),
            y=_value("value", title),
            tooltip=[alt.Tooltip("when:N", title="time"), alt.Tooltip("value:Q", format=",.6~g"), "row:Q"],
        )
    )
    if len(parts["row"]):
        layers.append(alt.Chart(parts["row"]).mark_rule(color=MARK, strokeWidth=1.5).encode(x=x.of("time")))
    chart: alt.LayerChart = alt.LayerChart(layer=layers, height=HEIGHT)
    return chart


def draw_levels(parts: dict[str, pd.DataFrame], title: str, dated: bool, span: tuple[float, float]) -> alt.LayerChart:
    """Return the chart of a category: a bar in the line of each level while the category is there.

    Parameters
    ----------
    parts : dict of str to DataFrame
        `levels` (`start`, `end`, `level`, `from`, `to`); `gaps`, `intervals` and `row` as `draw` has them. The other
        parameters are those of `draw`.
    """
    x, levels = _Times(dated, span), parts["levels"]
    axis = alt.Axis(minExtent=46, maxExtent=46, labelLimit=46, labelOverlap=False, titleLimit=HEIGHT)
    y = alt.Y("level:N", title=plain(title), sort=list(dict.fromkeys(levels["level"])), axis=axis)
    layers: list[Any] = [_stretches(parts["intervals"], x).mark_rect(color=ANOMALOUS, opacity=0.2, aria=False)]
    if len(parts["gaps"]):
        layers.append(_stretches(parts["gaps"], x).mark_rect(color=MARK, opacity=0.22, aria=False))
    bars = alt.Chart(levels).mark_bar(color=NORMAL, stroke=NORMAL, strokeWidth=1, aria=False)
    said = [alt.Tooltip(f"{name}:N") for name in ("level", "from", "to")]
    layers += [
        bars.encode(x=x.of("start", "Time"), x2="end", y=y, tooltip=said),
        _clickable(parts["intervals"], x),
    ]
    if len(parts["row"]):
        layers.append(alt.Chart(parts["row"]).mark_rule(color=MARK, strokeWidth=1.5).encode(x=x.of("time")))
    height = AXIS + LINE * max(levels["level"].nunique(), 1)
    chart: alt.LayerChart = alt.LayerChart(layer=layers, height=height)
    return chart


class _Times:
    """The axis of times, the same in all layers."""

    def __init__(self, dated: bool, span: tuple[float, float]) -> None:
        self.kind = "T" if dated else "Q"
        domain = list(span) if span[0] < span[1] else [span[0] - 1, span[1] + 1]
        self._scale = alt.Scale(type="utc" if dated else "linear", domain=domain, nice=False)
        self._axis = alt.Axis(tickCount=8, labelOverlap=True, grid=False)

    def of(self, field: str, title: str | None = None) -> alt.X:
        """Return a column of times as an axis."""
        return alt.X(f"{field}:{self.kind}", title=title, scale=self._scale, axis=self._axis)


def _value(field: str, title: str) -> alt.Y:
    # Labels of equal width: the times of charts above each other are then above each other, too.
    axis = alt.Axis(tickCount=4, minExtent=46, maxExtent=46, format=".5~g", titleLimit=HEIGHT)
    return alt.Y(f"{field}:Q", title=plain(title), scale=alt.Scale(zero=False), axis=axis)


def _band(table: pd.DataFrame, x: _Times, y: alt.Y) -> list[Any]:
    size = table.groupby("piece")["piece"].transform("size")
    areas, alone = table[size > 1], table[size == 1]
    base = alt.Chart(areas).encode(x=x.of("time"), detail="piece:N")
    return [
        base.mark_area(color=EXPECTED, opacity=0.25, aria=False).encode(y=y, y2="high:Q"),
        base.mark_line(color=EXPECTED, strokeWidth=1, strokeDash=[3, 2], aria=False).encode(y=_expected(y)),
        alt.Chart(alone)
        .mark_rule(color=EXPECTED, opacity=0.5, strokeWidth=3, aria=False)
        .encode(x=x.of("time"), y=y, y2="high:Q"),
    ]


def _expected(y: alt.Y) -> alt.Y:
    found = y.copy(deep=True)
    found.shorthand = "expected:Q"
    return found


def _stretches(table: pd.DataFrame, x: _Times) -> Any:
    return alt.Chart(table).encode(x=x.of("start"), x2="end")


def _clickable(table: pd.DataFrame, x: _Times) -> Any:
    """Return the borders of intervals, within which they can be clicked; one that is less than a pixel wide is seen."""
    clicked = alt.selection_point(name=CLICKED, fields=["peak_row"], on="click", empty=False)
    border = {"stroke": ANOMALOUS, "strokeWidth": 1.5, "strokeOpacity": 0.7}
    return (
        _stretches(table, x)
        .mark_rect(fill=ANOMALOUS, fillOpacity=0, cursor="pointer", **border)
        .encode(description="said:N", tooltip=[alt.Tooltip("said:N", title="interval of alerts")])
        .add_params(clicked)
    )
