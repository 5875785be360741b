"""What is drawn of a page of a series, as tables; never more than a few thousand lines, whatever the run's length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomalo.jobs.series.kept import Timeline
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import formatting
from anomalo_dashboard.security.literal import plain
from anomalo_dashboard.series import decimation, reading
from anomalo_dashboard.series.view import Page

MOST = 4000
"""Lines of tables that are sent, of all channels together."""
MOST_LEVELS = 8
"""Levels of a category that have a line of their own, but for the last where there are more."""
MOST_INTERVALS = 60
"""Intervals that are drawn of a page, the most anomalous ones."""


def times_as_text(times: NDArray[np.float64], dated: bool) -> list[str]:
    """Return times as text: of milliseconds without the parts that are 0 in all."""
    if not dated:
        return [f"{time:.10g}" for time in times]
    moments = pd.to_datetime(pd.Series(times), unit="ms")
    whole = (np.asarray(times) % 1000 == 0).all()
    return [moment.isoformat(" ", "seconds" if whole else "milliseconds") for moment in moments]


def of_channel(
    run: RunRecord, line: Timeline, series: int, page: Page, name: str, channels: int, row: int | None
) -> dict[str, pd.DataFrame]:
    """Return the tables of a channel's chart; see `chart.draw`.

    Parameters
    ----------
    channels : int
        How many charts share what may be sent.
    row : int or None
        The row that is marked.
    """
    all_points = line.of(series)
    points = slice(all_points.start + page[0], all_points.start + page[1])
    time, rows, slot = line.time[points], line.row[points], line.slot[points]
    value, most = reading.channel(run, name)[rows], max(MOST // (2 * channels), 8)
    drawn = decimation.drawn(time, value, slot, most)
    when = times_as_text(time[drawn.at], line.dated)
    table = {
        "time": time[drawn.at],
        "value": value[drawn.at],
        "piece": drawn.piece,
        "when": when,
        "row": rows[drawn.at],
    }
    return {
        "line": pd.DataFrame(table),
        "gaps": pd.DataFrame(drawn.gaps, columns=["start", "end"]),
        "band": _band(run, line, points, name, most // 2),
        "intervals": _intervals(run, line, points),
        "changes": _changes(run, line, points, name),
        "row": pd.DataFrame({"time": time[rows == row] if row is not None else time[:0]}),
    }


def of_category(
    run: RunRecord, line: Timeline, series: int, page: Page, name: str, channels: int, row: int | None
) -> dict[str, pd.DataFrame]:
    """Return the tables of the chart of a category; see `chart.draw_levels`. Parameters are those of `of_channel`."""
    all_points = line.of(series)
    points = slice(all_points.start + page[0], all_points.start + page[1])
    time, rows, slot = line.time[points], line.row[points], line.slot[points]
    found, most = reading.category(run, name), max(MOST // (2 * channels), 8)
    level, names = _most_frequent(found.code[rows], found.levels)
    stays = decimation.stays(level, slot, most)
    next_one = np.minimum(stays.last + 1, len(time) - 1)
    until = np.where(slot[next_one] - slot[stays.last] == 1, time[next_one], time[stays.last])
    table = {
        "start": time[stays.first],
        "end": until,
        "level": [names[at] for at in stays.level],
        "from": times_as_text(time[stays.first], line.dated),
        "to": times_as_text(time[stays.last], line.dated),
    }
    gaps = decimation.drawn(time, np.where(level < 0, np.nan, 0.0), slot, most).gaps
    return {
        "levels": pd.DataFrame(table),
        "gaps": pd.DataFrame(gaps, columns=["start", "end"]),
        "intervals": _intervals(run, line, points),
        "row": pd.DataFrame({"time": time[rows == row] if row is not None else time[:0]}),
    }


def _most_frequent(code: NDArray[np.int32], levels: tuple[str, ...]) -> tuple[NDArray[np.intp], list[str]]:
    """Return codes of the most frequent levels among some, and their names; those of the others are joined."""
    counts = np.bincount(code[code >= 0], minlength=len(levels))
    order = np.flatnonzero(counts)[np.argsort(-counts[counts > 0], kind="stable")]
    kept = order if len(order) <= MOST_LEVELS else order[: MOST_LEVELS - 1]
    names = [plain(levels[at]) for at in kept]
    renamed = np.full(len(levels) + 1, len(names), dtype=np.intp)
    renamed[kept] = np.arange(len(kept))
    renamed[-1] = -1
    if len(kept) < len(order):
        names.append(f"{len(order) - len(kept):,} others")
    return renamed[code], names


def _band(run: RunRecord, line: Timeline, points: slice, name: str, most: int) -> pd.DataFrame:
    found = reading.bands(run, name)
    at = line.position[found.row]
    here = np.flatnonzero((at >= points.start) & (at < points.stop))
    here = here[np.argsort(at[here], kind="stable")]
    low, high, middle = found.low[here], found.high[here], found.expected[here]
    made = decimation.band(at[here] - points.start, low, high, middle, points.stop - points.start, most)
    table = pd.DataFrame(made, columns=["at", "low", "high", "expected", "piece"])
    return table.assign(time=line.time[points][table["at"].to_numpy(dtype=np.intp)])


def here(run: RunRecord, line: Timeline, points: slice) -> pd.DataFrame:
    """Return the intervals of a series that some points are in, the most anomalous first."""
    found = reading.intervals(run)
    if not len(found):
        return found
    first, last = line.position[found["start_row"]], line.position[found["end_row"]]
    inside = (last >= points.start) & (first < points.stop)
    shown: pd.DataFrame = found[inside].assign(first=first[inside], last=last[inside])
    return shown


def _intervals(run: RunRecord, line: Timeline, points: slice) -> pd.DataFrame:
    found = here(run, line, points).head(MOST_INTERVALS)
    if not len(found):
        return pd.DataFrame({"start": [], "end": [], "peak_row": [], "said": []}, dtype=np.float64)
    limits: Any = (points.start, points.stop - 1)
    first, last = np.clip(found["first"], *limits), np.clip(found["last"], *limits)
    said = [
        plain(f"{one['start']} to {one['end']}, p {formatting.figure(one['p_value'])}, {', '.join(one['channels'])}")
        for one in found.to_dict("records")
    ]
    peaks = found["peak_row"].to_numpy()
    return pd.DataFrame({"start": line.time[first], "end": line.time[last], "peak_row": peaks, "said": said})


def _changes(run: RunRecord, line: Timeline, points: slice, name: str) -> pd.DataFrame:
    found = reading.changes(run)
    found = found[found["channel"] == name]
    at = line.position[found["start_row"].to_numpy(dtype=np.int64)]
    inside = (at >= points.start) & (at < points.stop)
    said = [plain(described(entry)) for entry in found[inside].itertuples()]
    return pd.DataFrame({"start": line.time[at[inside]], "said": said})


def described(change: Any) -> str:
    """Return a change as a text, such as "level change, from 100 to 140"."""
    what = "drift" if change.kind == "drift" else f"{change.kind} change"
    until = "" if not isinstance(change.end, str) else f" until {change.end}"
    return f"{what} since {change.start}{until}, from {change.before:.4g} to {change.after:.4g}"
