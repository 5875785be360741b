"""Show the progress of a verb: a bar on a terminal, JSON lines for programs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

Update = Callable[[float, str], None]
"""Called with the share that is done, from 0 to 1, and a short text such as "loss 0.713"."""

EVERY = 1.0
"""The least number of seconds between two JSON lines."""
ENOUGH = 0.03
"""The least share from which the time to the end is estimated: what a command does first says little of the rest."""


@contextmanager
def silence() -> Iterator[Update]:
    """Show nothing."""
    yield lambda share, text: None


@contextmanager
def lines() -> Iterator[Update]:
    """Write JSON lines on stderr, at most one a second, and a last one at the end if there was any."""
    started, written, latest = time.monotonic(), -math.inf, ""

    def update(share: float, text: str) -> None:
        nonlocal written, latest
        latest, now = text, time.monotonic()
        if now - written >= EVERY:
            written = now
            _line(share, text, (now - started) * (1 - share) / share if share >= ENOUGH else None)

    yield update
    if written > -math.inf:
        _line(1.0, latest, 0.0)


def _line(share: float, text: str, left: float | None) -> None:
    """Write one line; `left` is the time to the end in seconds, estimated from what the share so far took."""
    seconds = None if left is None else round(left)
    line = {"level": "progress", "share": round(share, 4), "seconds_left": seconds, "message": text}
    typer.echo(json.dumps(line), err=True)


@contextmanager
def bar(title: str) -> Iterator[Update]:
    """Show one progress bar, which disappears at the end."""
    from rich.console import Console as Terminal
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None, text="")

        def update(share: float, text: str) -> None:
            shown.update(task, completed=share, text=text, total=1.0 if share else None)

        yield update
