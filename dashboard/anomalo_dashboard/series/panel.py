"""The part of a page that shows a run of series: charts of its channels, and the list of intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from anomalo.jobs.series.kept import Timeline
from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import formatting
from anomalo_dashboard.security.literal import literal, plain, plain_table
from anomalo_dashboard.series import chart, parts, reading, view

FIRST, AT_ONCE = 2, 4
"""Channels that are drawn at first, and at most."""
SERIES, CHANNELS = "series", "channels"
AROUND = 60
"""Points before and after a row that its page shows."""
LISTED = 1000
_CHARTED = "_charted"
"""The row that is drawn on its page."""

Open = Callable[[int], None]
"""Shows a row; called before the page is drawn again."""


def on_alerts(run: RunRecord, go: Open) -> None:
    """Show the charts, all of the series at first, and the intervals; a click on one leads to its peak."""
    found = reading.intervals(run)
    line, names = reading.timeline(run), _drawable(run)
    if not len(line.row):
        return
    first = line.series_of(int(found["peak_row"].iloc[0])) if len(found) else 0
    if names:
        several = len(line.names) > 1
        left, right = st.columns([1, 2]) if several else (st.container(), st.container())
        with left:
            series = _series_box(line, first)
        with right:
            chosen = _channel_box(run, names, _channels(found, names))
        _charts(run, line, series, chosen, go, None)
    else:
        st.info("No channel of this series is a number or a category: nothing to draw.", icon=":material/info:")
    _list(run, line, found, go)


def on_row(run: RunRecord, row: int, columns: Sequence[str], go: Open) -> None:
    """Show the channels around a row.

    Parameters
    ----------
    columns : sequence of str
        Those of the row that contribute most.
    """
    line, names = reading.timeline(run), _drawable(run)
    if not names:
        return
    if st.session_state.get(_CHARTED) not in (None, (run.id, row)):
        view.go(None)  # what is in view is that of another row
    st.session_state[_CHARTED] = run.id, row
    st.header("Around this point", anchor=False)
    chosen = _channel_box(run, names, [name for name in columns if name in names] or names)
    _charts(run, line, line.series_of(row), chosen, go, row)


def _drawable(run: RunRecord) -> list[str]:
    """Return the channels of numbers, and then those of categories."""
    return [*reading.channels(run), *reading.categories(run)]


def _channels(found: pd.DataFrame, names: list[str]) -> list[str]:
    """Return the channels with the most anomalous intervals first."""
    named = [name for channels in found["channels"].head(20) for name in channels]
    return [name for name in dict.fromkeys([*named, *names]) if name in names]


def _series_box(line: Timeline, first: int) -> int:
    if len(line.names) < 2:
        return 0
    known = {name: number for number, name in enumerate(line.names)}
    if st.session_state.get(SERIES) not in known and st.query_params.get(SERIES) not in known:
        st.session_state[SERIES] = line.names[first]
    chosen = st.selectbox(
        "Series",
        list(line.names),
        None,
        plain,
        key=SERIES,
        bind="query-params",
        required=True,
        on_change=view.go,
        args=(None,),
    )
    return known.get(chosen or "", first)


def _channel_box(run: RunRecord, names: list[str], usual: Sequence[str]) -> list[str]:
    if len(names) == 1:
        return names
    first = list(usual[:FIRST])
    chosen = st.multiselect(
        "Channels", names, first, format_func=plain, key=f"{CHANNELS} {run.id}", max_selections=AT_ONCE
    )
    return [name for name in chosen if name in names] or first


def _charts(run: RunRecord, line: Timeline, series: int, names: list[str], go: Open, row: int | None) -> None:
    points = line.of(series)
    total = points.stop - points.start
    at = None if row is None else int(line.position[row]) - points.start
    page = view.shown(total, None if at is None else (at - AROUND, at + AROUND))
    view.buttons(page, total)
    times = line.time[points.start + page[0]], line.time[points.start + page[1] - 1]
    start, end = parts.times_as_text(pd.Series(times).to_numpy(), line.dated)
    name = f"**{literal(line.names[series])}**: " if line.names[series] else ""
    st.caption(
        f"{name}{quantities.count(page[1] - page[0], 'point')} of {total:,}, {literal(start)} to {literal(end)}"
        f"{' (UTC)' if line.dated else ''}. {_legend(run, line, slice(points.start + page[0], points.start + page[1]))}"
    )
    numbers = reading.channels(run)
    for name in names:
        made = parts.of_channel if name in numbers else parts.of_category
        drawn = chart.draw if name in numbers else chart.draw_levels
        tables = made(run, line, series, page, name, len(names), row)
        key = f"chart {run.id} {name}"
        st.altair_chart(
            drawn(tables, name, line.dated, (float(times[0]), float(times[1]))),
            key=key,
            on_select=lambda key=key: _clicked(key, go),
            selection_mode=[chart.CLICKED],
            alt=f"Channel {name} over time, with what was expected and intervals of alerts",
        )


def _legend(run: RunRecord, line: Timeline, points: slice) -> str:
    found = len(parts.here(run, line, points))
    drawn = f", the {parts.MOST_INTERVALS} most anomalous" if found > parts.MOST_INTERVALS else ""
    return (
        f"**Orange**: {quantities.count(found, 'interval')} of alerts{drawn}; a click leads to the peak. "
        "**Blue**: what was expected, with its 90 % interval, where rows are explained. "
        "**Grey**: gaps. **Violet**: a lasting change begins."
    )


def _clicked(key: str, go: Open) -> None:
    row = clicked_row(st.session_state.get(key))
    if row is not None:
        go(row)


def clicked_row(event: Any) -> int | None:
    """Return the peak of the interval that was clicked in a chart; None if none was."""
    points = ((event or {}).get("selection") or {}).get(chart.CLICKED) or []
    return next((int(point["peak_row"]) for point in points if "peak_row" in point), None)


def _list(run: RunRecord, line: Timeline, found: pd.DataFrame, go: Open) -> None:
    """Show the intervals, the most anomalous first; a click shows one in the chart, and its peak."""
    changes = reading.changes(run)
    st.markdown(
        f"**{quantities.count(len(found), 'interval')} of alerts**"
        + (f", the first {LISTED:,} listed" if len(found) > LISTED else "")
        + (f", {quantities.count(len(changes), 'lasting change')} apart from them" if len(changes) else "")
    )
    if not len(found):
        return
    listed = found.head(LISTED)
    shown = plain_table(
        pd.DataFrame(
            {
                **({"entity": listed["entity"]} if len(line.names) > 1 else {}),
                "start": listed["start"],
                "end": listed["end"],
                "peak": listed["peak"],
                "points": listed["points"],
                "p_value": listed["p_value"],
                "score": listed["score"],
                "channels": [", ".join(names) for names in listed["channels"]],
            }
        )
    )
    key = f"intervals {run.id}"

    def show_one() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        if cells and cells[0][0] < len(listed):
            _show(line, listed.iloc[cells[0][0]], go)

    st.dataframe(
        shown,
        hide_index=True,
        height=min(35 * len(listed) + 38, 248),
        key=key,
        on_select=show_one,
        selection_mode="single-cell",
        column_config=_columns(shown),
        alt="Intervals of alerts, the most anomalous first",
    )


def _show(line: Timeline, interval: Any, go: Open) -> None:
    series = line.series_of(int(interval["start_row"]))
    points = line.of(series)
    if len(line.names) > 1:
        st.session_state[SERIES] = line.names[series]
    first, last = (int(line.position[int(interval[name])]) - points.start for name in ("start_row", "end_row"))
    view.go(view.around(first, last + 1, points.stop - points.start))
    go(int(interval["peak_row"]))


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    return {
        "entity": st.column_config.TextColumn("Series", width=110),
        "start": st.column_config.TextColumn("Start", width=165),
        "end": st.column_config.TextColumn("End", width=165),
        "peak": st.column_config.TextColumn("Peak", width=165, help="The point with the highest score"),
        "points": st.column_config.NumberColumn("Points", format="localized", width=70),
        "p_value": st.column_config.NumberColumn(
            "p-value", format=formatting.decimals([table["p_value"].min()], 2), width=80, help="That of the peak"
        ),
        "score": st.column_config.NumberColumn(
            "Score", format=formatting.decimals(table["score"]), width=90, help="That of the peak"
        ),
        "channels": st.column_config.TextColumn("Channels", width=220, help="Those that contribute most"),
    }
