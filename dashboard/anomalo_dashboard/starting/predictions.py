"""How long a fit or a scoring is going to take: a process beside the page estimates it, and the page waits for it."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.jobs.background import queue
from anomalo_dashboard.navigation import workspace

Estimates = dict[str, Any]
"""What `anomalo plan --json` prints; empty if it cannot be estimated."""
_TURN = Lock()
"""Not two at once: they measure."""


def estimates(source: str, *options: str) -> Estimates | None:
    """Return what `anomalo plan` says of a table; None while it is being estimated.

    Parameters
    ----------
    *options : str
        The model, such as "--model", "linear"; or a saved one by "--with".
    """
    changed = Path(source).stat().st_mtime_ns if Path(source).is_file() else 0
    found = _started((source, *options), changed, workspace())
    return found.result() if found.done() else None


def efforts(source: str) -> dict[str, float] | None:
    """Return the seconds of a fit of the model `auto` at each effort; None while they are being estimated."""
    found = estimates(source)
    return None if found is None else {name: float(seconds) for name, seconds in found.get("efforts", {}).items()}


def wait(source: str, *options: str) -> None:
    """Say that an estimate is being made, as long as it is, and draw the page again once it is there."""
    with st.container():  # there also when it is empty: what comes after it must not move, or it closes
        if estimates(source, *options) is None:
            _wait(source, options)


@st.fragment(run_every=1)
def _wait(source: str, options: tuple[str, ...]) -> None:
    if estimates(source, *options) is not None:
        st.rerun()
    st.caption(":material/hourglass_empty: Estimating the time …")


@st.cache_resource(max_entries=64, show_spinner=False)
def _started(command: tuple[str, ...], changed: int, workspace: Path) -> Future[Estimates]:
    found: Future[Estimates] = Future()

    def run() -> None:
        with _TURN:
            found.set_result(_ask(command, workspace))

    Thread(target=run, daemon=True).start()  # the dashboard can end before it does
    return found


def _ask(command: tuple[str, ...], workspace: Path) -> Estimates:
    try:
        return dict(queue.ask("plan", *command, workspace=workspace))
    except AnomaloError:  # the form, or the job, says what is wrong
        return {}
