"""The routes of a run, one after another: whether each is to be notified, and what became of it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomalo.errors import without_passwords
from anomalo_routes.command import start
from anomalo_routes.delivery import DeliveryError
from anomalo_routes.mail import mail
from anomalo_routes.payload import payload
from anomalo_routes.webhook import post

KINDS: dict[str, Callable[[dict[str, Any], dict[str, Any], Path], None]] = {
    "command": start,
    "webhook": lambda route, facts, folder: post(route, facts),
    "email": lambda route, facts, folder: mail(route, facts),
}
FILE = "routes.jsonl"
_logger = logging.getLogger("anomalo")


def notify(run: Any) -> None:
    """Notify each route of a run that is not done yet, and append what became of it to `routes.jsonl` in its folder.

    A route that fails is a warning, and does not keep the others from being notified.
    """
    job, done = run.summary["job"], _done(run.path / FILE)
    for route in job["routes"]:
        if route["name"] in done:
            continue
        error = None
        status = "sent" if holds(route["when"], run.summary) else "skipped"
        if status == "sent":
            try:
                KINDS[route["kind"]](route, payload(run, route), Path(job["folder"]))
            except DeliveryError as failure:
                status, error = "failed", without_passwords(str(failure))
                _logger.warning("route %r of run %s failed: %s", route["name"], run.id, error)
        _note(run.path / FILE, {"route": route["name"], "kind": route["kind"], "status": status, "error": error})


def holds(when: str, summary: dict[str, Any]) -> bool:
    """Whether a route's condition holds for the summary of a run.

    Examples
    --------
    >>> holds("alerts", {"alerts": 3}), holds("over 3", {"alerts": 3}), holds("drift", {"drift": {"differs": True}})
    (True, False, True)
    """
    if when == "always":
        return True
    if when == "drift":
        return bool((summary.get("drift") or {}).get("differs"))
    return int(summary.get("intervals", summary["alerts"])) > int(
        when.removeprefix("over ") if when.startswith("over ") else 0
    )


def _done(path: Path) -> set[str]:
    """Return the routes that were notified, or did not need to be."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(ValueError, TypeError, KeyError):  # of a process that was killed
            entry = json.loads(line)
            found[entry["route"]] = entry["status"]
    return {name for name, status in found.items() if status != "failed"}


def _note(path: Path, entry: dict[str, Any]) -> None:
    line = json.dumps(entry | {"at": datetime.now(UTC).isoformat(timespec="seconds")})
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}" if file.tell() else line)
        file.flush()
        os.fdatasync(file.fileno())
