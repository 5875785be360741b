"""Charts of a table's scorings: alert rate with what is expected, rows, and missing cells."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from anomalo.jobs.comparing.histories import History
from anomalo.jobs.comparing.trend import point
from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import formatting
from anomalo_dashboard.charts import ANOMALOUS, MARK, NORMAL
from anomalo_dashboard.histories.lines import interval
from anomalo_dashboard.security.literal import plain
from anomalo_dashboard.security.uploads import name_of

HEIGHT = 220
FEW, WIDEST = 8, 26
"""The bars of so few runs have this width in pixels."""
OUTSIDE, WITHIN = "outside of what is expected", "as expected, or nothing is"
_PERCENT = "format(datum.value, '.3~g') + ' %'"
_NUMBER = "toNumber(split(datum.value, '-')[0])"


def frame(table: History, runs: list[RunRecord]) -> pd.DataFrame:
    """Return one line for each of some scorings of a table, shares in percent."""
    found = []
    for run in runs:
        at, band = point(run), table.expected(run)
        outside = band is not None and at.alert_rate is not None and not band[0] <= at.alert_rate <= band[1]
        found.append(
            {
                "run": run.id,
                "file": plain(name_of(run.source)),
                "model": plain(run.model),
                "when": formatting.moment(run.created),
                "rows": at.rows,
                "share": _percent(at.alert_rate),
                "low": _percent(band and band[0]),
                "high": _percent(band and band[1]),
                "missing": _percent(at.missing_rate),
                "written": "" if at.alert_rate is None else quantities.percent(at.alert_rate),
                "expected": "unknown" if band is None else interval(band),
                "group": OUTSIDE if outside else WITHIN,
            }
        )
    return pd.DataFrame(found)


def rates(runs: pd.DataFrame) -> alt.LayerChart:
    """Return the alert rate of each run, beside the interval in which it is expected; see `frame`."""
    base = alt.Chart(runs, height=HEIGHT).encode(x=_runs())
    band = base.mark_bar(color=MARK, opacity=0.3, aria=False, **_width(runs)).encode(
        y=_share("low:Q", "Alert rate"), y2="high:Q"
    )
    line = base.mark_line(color=MARK, strokeWidth=1).encode(y="share:Q")
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(
        y="share:Q",
        color=alt.Color(
            "group:N",
            scale=alt.Scale(domain=[WITHIN, OUTSIDE], range=[NORMAL, ANOMALOUS]),
            legend=None,
        ),
        tooltip=[*_what(), alt.Tooltip("written:N", title="alert rate"), alt.Tooltip("expected:N")],
    )
    chart: alt.LayerChart = band + line + dots
    return chart


def volumes(runs: pd.DataFrame) -> alt.Chart:
    """Return the number of rows of each run."""
    chart: alt.Chart = (
        alt.Chart(runs, height=HEIGHT)
        .mark_bar(color=NORMAL, **_width(runs))
        .encode(
            x=_runs(),
            y=alt.Y("rows:Q", title="Rows", axis=alt.Axis(tickCount=4, format="~s")),
            tooltip=[*_what(), alt.Tooltip("rows:Q", format=",")],
        )
    )
    return chart


def missing(runs: pd.DataFrame) -> alt.Chart:
    """Return the share of missing cells of each run."""
    chart: alt.Chart = (
        alt.Chart(runs.dropna(subset="missing"), height=HEIGHT)
        .mark_line(color=NORMAL, strokeWidth=2, point=alt.OverlayMarkDef(filled=True, size=45, color=NORMAL))
        .encode(
            x=_runs(),
            y=_share("missing:Q", "Missing cells"),
            tooltip=[*_what(), alt.Tooltip("missing:Q", title="missing cells in %", format=".3~g")],
        )
    )
    return chart


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _width(runs: pd.DataFrame) -> dict[str, Any]:
    return {"size": WIDEST} if len(runs) <= FEW else {}


def _runs() -> alt.X:
    axis = alt.Axis(labelAngle=0, labelExpr=_NUMBER, labelOverlap=True)
    return alt.X("run:N", title="Number of the run", sort=None, axis=axis)


def _share(field: str, title: str) -> alt.Y:
    return alt.Y(field, title=title, scale=alt.Scale(zero=True), axis=alt.Axis(labelExpr=_PERCENT, tickCount=4))


def _what() -> list[Any]:
    return [alt.Tooltip(f"{name}:N", title=name) for name in ("run", "when", "model", "file")]
