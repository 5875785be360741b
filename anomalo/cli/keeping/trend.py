"""The chart of `anomalo runs --trend`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from anomalo.cli.terminal.printing import nearby, shortened, table
from anomalo.tabular.quantities import percent

if TYPE_CHECKING:
    from anomalo.jobs.comparing.trend import Point

SHOWN = 30
"""Runs that are shown, the latest ones."""
WIDTH = 10
"""Characters of the longest bar."""
EIGHTHS = " ▏▎▍▌▋▊▉█"


def show_trend(points: Sequence[Point]) -> None:
    """Print a line for each run, with bars of its rates."""
    if not points:
        typer.echo("No runs to show: score tables first, anomalo score SOURCE --with ID")
        return
    shown = points[-SHOWN:]
    alerts = bars([point.alert_rate for point in shown])
    drifts = bars([None if point.auroc is None else max(0.0, 2 * point.auroc - 1) for point in shown])
    missing = bars([point.missing_rate for point in shown])
    if len(points) > SHOWN:
        typer.echo(f"the latest {SHOWN} of {len(points):,} runs")
    table(
        ("run", "model", "created", "rows", "alerts", "", "drift: p", "", "missing", "", "source"),
        [
            (
                point.run,
                point.model or "",
                point.created[:16].replace("T", " "),
                f"{point.rows:,}",
                _rate(point.alert_rate),
                alert,
                _drift(point),
                drift,
                _rate(point.missing_rate),
                gap,
                shortened(nearby(point.source)),
            )
            for point, alert, drift, gap in zip(shown, alerts, drifts, missing, strict=True)
        ],
        right=("rows", "alerts", "drift: p", "missing"),
    )
    typer.echo(
        "\nbars: alert rate; how well a classifier distinguishes the table from the training table; missing rate"
    )


def bars(values: Sequence[float | None]) -> list[str]:
    """Return bars whose lengths are in proportion to the values; the largest has `WIDTH` characters.

    Examples
    --------
    >>> bars([0.1, None, 0.05, 0.0])
    ['██████████', '', '█████', '']
    """
    largest = max((value for value in values if value is not None), default=0.0)
    return [_bar(value / largest) if value and largest > 0 else "" for value in values]


def _bar(share: float) -> str:
    eighths = round(8 * WIDTH * share)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()


def _rate(value: float | None) -> str:
    return "" if value is None else percent(value)


def _drift(point: Point) -> str:
    from anomalo.evaluation.comparison.wording import p_text

    if point.p_value is None:
        return ""
    return p_text(point.p_value) + (" !" if point.differs else "")
