"""One line for each table: its alerts, drift, rows, missing values and reviews, as the page Overview lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import streamlit as st

from anomalo.jobs.comparing.histories import History
from anomalo.jobs.comparing.trend import Point, point
from anomalo.workspace.reviews import Review
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import formatting, triage
from anomalo_dashboard.security.literal import plain_table
from anomalo_dashboard.security.uploads import name_of

LATEST = 50
"""Scorings in a chart, at most."""
RIGHT = "how many were acknowledged or fixed, neither expected nor false alarms, with a 95 % interval"


def names(tables: Sequence[History]) -> list[str]:
    """Return what people call the tables; where several have one name, with their models or a number."""
    short = [name_of(table.source) for table in tables]
    often = Counter(short)
    longer = [f"{name}{_models(table)}" if often[name] > 1 else name for name, table in zip(short, tables, strict=True)]
    before = [longer[:at].count(name) for at, name in enumerate(longer)]
    return [f"{name} ({number + 1})" if number else name for name, number in zip(longer, before, strict=True)]


def _models(table: History) -> str:
    found = sorted({model.name for model in table.models})
    return f" ({', '.join(found)})" if found else ""


def shown(table: History, name: str | None = None) -> list[RunRecord]:
    """Return the latest scorings by a model, oldest first; by default by the one that scored last."""
    return table.scorings(name or table.names[0])[-LATEST:] if table.names else []


def line(table: History, name: str, states: Mapping[str, Mapping[str, int]], unreviewed: int | None) -> dict[str, Any]:
    """Return the line of a table.

    Parameters
    ----------
    name : str
        What it is called.
    states : mapping of str to mapping of str to int
        For each run, how many of its rows are in which state.
    unreviewed : int or None
        Alerts of the last scoring that nobody has reviewed.
    """
    points = [point(run) for run in shown(table)]
    reviewed = sum((Counter(states.get(run.id, {})) for run in table.runs), Counter[str]())
    last, latest = points[-1] if points else None, table.latest
    band = None if latest is None else table.expected(latest)
    return {
        "open": "Model" if last is None else "Alerts",
        "name": name,
        "rates": [100 * rate for rate in (each.alert_rate for each in points) if rate is not None],
        "share": None if last is None or last.alert_rate is None else 100 * last.alert_rate,
        "band": beside(last, band),
        "drift": drift(latest),
        "size": table.models[0].rows if last is None else last.rows,
        "missing": None if last is None or last.missing_rate is None else 100 * last.missing_rate,
        "unreviewed": unreviewed,
        "precision": triage.precision(reviewed),
        "last": "not scored yet" if latest is None else formatting.moment(latest.created),
        "who": owner(table),
    }


def beside(last: Point | None, band: tuple[float, float] | None) -> str:
    """Write the expected share of alerts, and whether the last one is within."""
    if last is None or last.alert_rate is None or band is None:
        return ""
    outside = "above " if last.alert_rate > band[1] else "below " if last.alert_rate < band[0] else ""
    return outside + interval(band)


def interval(band: tuple[float, float]) -> str:
    r"""Write two shares.

    Examples
    --------
    >>> interval((0.004, 0.0172)), interval((0.0, 0.1))
    ('0.4 to 1.7\xa0%', '0 to 10\xa0%')
    """
    return f"{100 * band[0]:.2g} to {100 * band[1]:.2g}\N{NO-BREAK SPACE}%"


def drift(run: RunRecord | None) -> str:
    """Write which columns of a run differ from the training table; empty if they were not compared."""
    found = {} if run is None else run.summary.get("drift") or {}
    if not found:
        return ""
    if not found.get("differs"):
        return "none found"
    return ", ".join(found.get("columns") or ()) or formatting.sentence(str(found.get("summary", "")))


def owner(table: History) -> str:
    """Return who made the last scoring, or fitted the latest model; empty if that is unknown."""
    scored = "" if table.latest is None else table.latest.who
    fitted = (model.who or model.summary.get("lineage", {}).get("who", "") for model in table.models)
    return str(scored or next(filter(None, fitted), ""))


def unreviewed(run: RunRecord, said: Mapping[int, Review]) -> int:
    """Return how many alerts of a run nobody has reviewed."""
    rows = tuple(sorted(row for row, review in said.items() if review.state != "new"))
    return int(run.summary.get("alerts", 0)) - _alerts_among(run.path, run.created, rows)


@st.cache_data(max_entries=256, show_spinner=False)
def _alerts_among(folder: Path, created: str, rows: tuple[int, ...]) -> int:
    if not rows or not (folder / "scores.parquet").is_file():
        return 0
    found = pq.read_table(folder / "scores.parquet", columns=["alert"], filters=[("row", "in", list(rows))])
    return int(pc.sum(found["alert"]).as_py() or 0)


def frame(tables: Sequence[History]) -> pd.DataFrame:
    """Return one line for each table, see `line`."""
    reviews = triage.reviews()
    states = reviews.counts()
    left = [
        None
        if table.latest is None
        else unreviewed(table.latest, reviews.of(table.latest.id) if table.latest.id in states else {})
        for table in tables
    ]
    return pd.DataFrame(
        [line(table, name, states, rest) for table, name, rest in zip(tables, names(tables), left, strict=True)]
    )


def show(lines: pd.DataFrame) -> Any:
    """Show the lines; each has a button, whose click is in the session as `open_table`."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return st.dataframe(
        plain_table(lines),
        hide_index=True,
        placeholder="",
        column_config={
            "open": st.column_config.ButtonColumn("Open", key="open_table", width=62, type="tertiary"),
            "name": text("Table", width=112),
            "rates": st.column_config.LineChartColumn("Trend", width=60, y_min=0, help="Alert rates of its runs"),
            "share": number("Alert rate", format="%.2f %%", width=76),
            "band": text(
                "Expected",
                width=135,
                help="The share of alerts in 95 % of tables where nothing has changed: it follows from the threshold, "
                "the number of rows and the number of training rows. Empty for a budget or a false discovery rate.",
            ),
            "drift": text("Drift", width=88, help="Columns that differ most from the training table, in the last run"),
            "size": number("Rows", format="localized", width=70),
            "missing": number("Missing", format="%.1f %%", width=68, help="Share of missing cells in the last run"),
            "unreviewed": number(
                "New", format="localized", width=52, help="Alerts of the last run that nobody has reviewed"
            ),
            "precision": text("Right", width=152, help=f"Of the reviewed rows of all runs: {RIGHT}"),
            "last": text("Last run", width=146),
            "who": text("By", width=62, help="Who made the last run, or fitted the latest model"),
        },
        alt="Tables, the latest scored first",
    )
