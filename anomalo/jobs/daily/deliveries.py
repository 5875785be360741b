"""What became of the routes of a run: the file `routes.jsonl` in its folder, one line for each attempt to notify."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from anomalo.workspace.records import RunRecord

FILE = "routes.jsonl"
FAILED = "failed"


def deliveries(run: RunRecord) -> list[dict[str, Any]]:
    """Return the last line on each route of a run, in the order of its job file.

    A line has `route`, `kind`, `status` ("sent", "skipped" where its condition does not hold, "failed"), `at`, `error`.
    """
    last: dict[str, dict[str, Any]] = {}
    path = run.path / FILE
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(ValueError, TypeError, KeyError):  # of a process that was killed
            entry = json.loads(line)
            last[entry["route"]] = {"error": None} | entry
    return [last.get(route["name"], _missing(route)) for route in (run.summary.get("job") or {"routes": []})["routes"]]


def _missing(route: dict[str, Any]) -> dict[str, Any]:
    error = "no plugin took it; `anomalo plugins` says which failed or are blocked"
    return {"route": route["name"], "kind": route["kind"], "status": FAILED, "at": None, "error": error}
