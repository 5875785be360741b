"""The figures of a scoring as OpenMetrics text, such as for the textfile collector of Prometheus' node exporter."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from anomalo.persistence.atomic import atomic_file
from anomalo.workspace.records import RunRecord

HELP = {
    "anomalo_rows": "Rows that were scored.",
    "anomalo_alerts": "Rows that are alerts.",
    "anomalo_alert_ratio": "Alerts per row.",
    "anomalo_alert_intervals": "Of a series, the intervals that the alerts make.",
    "anomalo_changes": "Of a series, the lasting changes of level or scale, and drifts.",
    "anomalo_warnings": "Warnings of the run, such as that the rows have drifted.",
    "anomalo_drift": "1 if the table differs from the training table, else 0.",
    "anomalo_drift_p_value": "The p-value of that difference.",
    "anomalo_drift_columns": "Columns that differ.",
    "anomalo_routes_failed": "Routes that could not be notified.",
    "anomalo_duration_seconds": "How long the run took.",
    "anomalo_run_timestamp_seconds": "When the run began.",
    "anomalo_last_success_timestamp_seconds": "When the job was last done, or found to be done.",
    "anomalo_run_info": "Which run and version of the model the figures are from.",
}
"""Families, all gauges: the collector reads the older text format, which has only these in common with OpenMetrics."""

OF_SERIES = {"alert_intervals": "intervals", "changes": "changes"}
"""What only runs of series have, by the names of the families."""


def write_metrics(path: Path, run: RunRecord, job: str | None = None, failed: int | None = None) -> None:
    """Write the figures of a run atomically; see `openmetrics`.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with atomic_file(path) as temporary:
        temporary.write_text(openmetrics(run, time.time(), job, failed), encoding="utf-8")


def openmetrics(run: RunRecord, now: float, job: str | None = None, failed: int | None = None) -> str:
    """Return the figures of a scoring as OpenMetrics 1.0 text, which is also valid in Prometheus' text format.

    Parameters
    ----------
    run : RunRecord
        A run of `score`.
    now : float
        The time, in seconds since 1970.
    job : str, optional
        The name of the job, which becomes the label `anomalo_job`.
    failed : int, optional
        How many of its routes failed.
    """
    facts, name = run.summary, str(run.model).partition("@")[0]
    labels = ({} if job is None else {"anomalo_job": job}) | {"model": name}
    values: dict[str, float] = {
        "anomalo_rows": facts["rows"],
        "anomalo_alerts": facts["alerts"],
        "anomalo_alert_ratio": facts["alerts"] / max(facts["rows"], 1),
        **{f"anomalo_{name}": facts[key] for name, key in OF_SERIES.items() if key in facts},
        "anomalo_warnings": len(facts["warnings"]),
        **_drift(facts.get("drift") or {}),
        **({} if failed is None else {"anomalo_routes_failed": failed}),
        "anomalo_duration_seconds": run.seconds,
        "anomalo_run_timestamp_seconds": datetime.fromisoformat(run.created).timestamp(),
        "anomalo_last_success_timestamp_seconds": now,
    }
    lines = [line for family, value in values.items() for line in _family(family, labels, value)]
    origin = {"run": run.id, "version": str(run.model), "threshold": facts["threshold"]}
    return "\n".join([*lines, *_family("anomalo_run_info", labels | origin, 1), "# EOF\n"])


def _drift(facts: Mapping[str, Any]) -> dict[str, float]:
    """Return what is known of the difference from the training table."""
    found = {
        "anomalo_drift": facts.get("differs"),
        "anomalo_drift_p_value": facts.get("p_value"),
        "anomalo_drift_columns": None if "columns" not in facts else len(facts["columns"]),
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def _family(name: str, labels: Mapping[str, Any], value: float) -> list[str]:
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge", f"{name}{{{pairs}}} {float(value)!r}"]


def _escaped(text: str) -> str:
    r"""Return a label's value as the format has it.

    Examples
    --------
    >>> print(_escaped('a "b"\\c'))
    a \"b\"\\c
    """
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
