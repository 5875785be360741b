"""Charts of a report on synthetic rows, for its page and for the dashboard. Needs the extra `report`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

REAL, SYNTHETIC = "#6b8e94", "#d9622b"
WIDTH, HEIGHT = 300, 150
LINE = 19
"""Height of a level's pair of bars."""
LONGEST = 18
"""Characters of a level or column that are shown."""
COLUMNS = 40
"""The most columns in the chart of pairs."""

Report = Mapping[str, Any]


def column(entry: Mapping[str, Any]) -> alt.Chart:
    """Return a column's distribution in real and synthetic rows; `entry` is one of the report's `columns`."""
    return _levels(entry) if "levels" in entry else _histogram(entry)


def pairs(report: Report) -> alt.Chart | None:
    """Return the similarity of each pair's relation; pale where the columns are hardly related. None without pairs."""
    order = _most_related(report)
    table = pd.DataFrame(
        [_pair(pair, order) for pair in report["pairs"] if {pair["first"], pair["second"]} <= set(order)]
    )
    if not len(table):
        return None
    side = 22 * len(order) + 20
    axis = alt.Axis(title=None, labelLimit=180, domain=False, ticks=False, grid=False)
    colour = alt.Color(
        "similarity:Q",
        title="similarity",
        scale=alt.Scale(domain=[0.7, 1], range=[SYNTHETIC, "#f3efe6", REAL], clamp=True),
        legend=alt.Legend(gradientLength=120, format=".2f"),
    )
    tooltip = [
        "first:N",
        "second:N",
        alt.Tooltip("similarity:Q", format=".3f"),
        alt.Tooltip("strength:Q", format=".2f"),
    ]
    chart: alt.Chart = (
        alt.Chart(table, width=side, height=side)
        .mark_rect(cornerRadius=2)
        .encode(
            x=alt.X("first:N", sort=order, axis=axis, scale=alt.Scale(padding=0.06)),
            y=alt.Y("second:N", sort=order, axis=axis, scale=alt.Scale(padding=0.06)),
            color=colour,
            opacity=alt.condition(alt.datum.related, alt.value(1.0), alt.value(0.25)),
            tooltip=tooltip,
        )
    )
    return chart


def closeness(report: Report) -> alt.Chart | None:
    """Return how far synthetic rows are from the closest training and holdout row; None without a holdout."""
    if report["closeness"] is None:
        return None
    names = {"train": "to a training row", "holdout": "to a holdout row"}
    distances = report["closeness"]["distribution"]
    return _steps(distances["edges"], distances["shares"], names, "Distance to the closest").properties(width=2 * WIDTH)


def _histogram(entry: Mapping[str, Any]) -> alt.Chart:
    return _steps(entry["edges"], entry["shares"], {"train": "real", "synthetic": "synthetic"}, "")


def _steps(edges: list[float], shares: Mapping[str, list[float]], names: Mapping[str, str], title: str) -> alt.Chart:
    lines = [
        {"low": low, "high": high, "share": share, "rows": name}
        for key, name in names.items()
        for low, high, share in zip(edges[:-1], edges[1:], shares[key], strict=True)
    ]
    scale = alt.Scale(domain=[edges[0], edges[-1]], nice=False, zero=False)
    chart: alt.Chart = (
        alt.Chart(pd.DataFrame(lines).assign(zero=0), width=WIDTH, height=HEIGHT)
        .mark_bar(opacity=0.55, binSpacing=0)
        .encode(
            x=alt.X("low:Q", title=title or None, scale=scale, axis=alt.Axis(tickCount=5, format="~s", grid=False)),
            x2="high:Q",
            y=alt.Y("share:Q", title=None, stack=None, axis=alt.Axis(tickCount=3, format="~%")),
            y2="zero:Q",
            color=_colour(list(names.values())),
            tooltip=["rows:N", "low:Q", "high:Q", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    return chart


def _levels(entry: Mapping[str, Any]) -> alt.Chart:
    names = {"train": "real", "synthetic": "synthetic"}
    shown = [_short(level) for level in entry["levels"]]
    lines = [
        {"level": level, "share": share, "rows": name}
        for key, name in names.items()
        for level, share in zip(shown, entry["shares"][key], strict=True)
    ]
    chart: alt.Chart = (
        alt.Chart(pd.DataFrame(lines), width=WIDTH - 90, height=max(LINE * len(shown), 60))
        .mark_bar(opacity=0.8)
        .encode(
            x=alt.X("share:Q", title=None, axis=alt.Axis(tickCount=3, format="~%")),
            y=alt.Y("level:N", title=None, sort=shown, axis=alt.Axis(labelLimit=110, ticks=False, domain=False)),
            yOffset=alt.YOffset("rows:N", sort=list(names.values())),
            color=_colour(list(names.values())),
            tooltip=["rows:N", "level:N", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    return chart


def _colour(names: list[str]) -> alt.Color:
    scale = alt.Scale(domain=names, range=[SYNTHETIC, REAL] if names[0] != "real" else [REAL, SYNTHETIC])
    return alt.Color(
        "rows:N", scale=scale, legend=alt.Legend(title=None, orient="top", symbolType="square", columnPadding=28)
    )


def _pair(pair: Mapping[str, Any], order: list[str]) -> dict[str, Any]:
    first, second = sorted((pair["first"], pair["second"]), key=order.index)
    return {**pair, "first": first, "second": second}


def _most_related(report: Report) -> list[str]:
    """Return the columns in the chart of pairs, in the table's order: of many those in the strongest relations."""
    names = [entry["column"] for entry in report["columns"]]
    if len(names) <= COLUMNS:
        return names
    ranked = dict.fromkeys(name for pair in report["pairs"] for name in (pair["first"], pair["second"]))
    kept = set(list(ranked)[:COLUMNS])
    return [name for name in names if name in kept]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
