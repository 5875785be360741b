"""What routes say of a run: facts, and the most anomalous alerts with their reasons; JSON-ready, version 1."""

from __future__ import annotations

import heapq
from typing import Any

import pyarrow.parquet as pq

VERSION = 1
"""Raised where a key changes its meaning or goes; keys may be added at any time."""


def payload(run: Any, route: dict[str, Any]) -> dict[str, Any]:
    """Return what a route is to be sent of a run; docs/schedules.md describes it."""
    facts, job = run.summary, run.summary["job"]
    return {
        "version": VERSION,
        "job": job["name"],
        "route": route["name"],
        "run": run.id,
        "model": run.model,
        "source": run.source,
        "created": run.created,
        "seconds": run.seconds,
        "rows": facts["rows"],
        "alerts": facts["alerts"],
        **{name: facts[name] for name in ("intervals", "changes") if name in facts},
        "threshold": facts["threshold"],
        "output": facts["output"],
        "folder": str(run.path),
        "gates": job["gates"],
        "warnings": facts["warnings"],
        "drift": facts.get("drift"),
        "top": _top(run, route["top"]),
    }


def _top(run: Any, most: int) -> list[dict[str, Any]]:
    """Return the most anomalous alerts: row, the column that names rows, score, p-value and reasons."""
    with pq.ParquetFile(run.path / "scores.parquet") as file:
        batches = (batch.filter(batch["alert"]) for batch in file.iter_batches())
        rows = (row for batch in batches for row in batch.to_pylist())
        found = heapq.nsmallest(most, rows, key=lambda row: (row["p_value"], -row["score"], row["row"]))
    return [{name: _plain(value) for name, value in row.items() if name != "alert"} for row in found]


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: identifiers may be dates or decimals."""
    return value if value is None or isinstance(value, bool | int | float | str | list) else str(value)
