"""The lines of the page Jobs: what each job was, and its log."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import streamlit as st

from anomalo.errors import without_passwords
from anomalo.jobs.background import queue
from anomalo.jobs.background.state import LOG
from anomalo_dashboard import formatting, job_progress, navigation
from anomalo_dashboard.security.failures import without_folders
from anomalo_dashboard.security.literal import plain

STATUS = {"running": "running", "done": "done", "failed": "failed", "stopped": "stopped", "died": "died"}
PAGE = 15
"""Jobs on one page of the list."""
LOGGED = 1 << 16
"""Bytes of a log that are shown: its last ones."""
FORCED = ("fit", "pretrain", "score", "impute", "repair", "clean", "embed", "augment")
"""The verbs that do nothing where the same job was done before, but for --force."""


def line(job: queue.Job) -> dict[str, Any]:
    """Return the line of a job in the table."""
    verbs, table, model = job_progress.parts(job)
    return {
        "open": "Show",
        "job": job.id,
        "status": job.status,
        "verbs": ", ".join(verbs),
        "table": table,
        "model": model,
        "who": job.who,
        "when": formatting.moment(job.created),
        "took": formatting.duration(job.seconds),
        "message": without_folders(job.message),
    }


def columns() -> dict[str, Any]:
    """Return how the columns of the table are shown."""
    return {
        "open": st.column_config.ButtonColumn("Open", key="open_job", width=70, type="tertiary"),
        "job": st.column_config.TextColumn("Job", width=110),
        "status": st.column_config.TextColumn("Status", width=80),
        "verbs": st.column_config.TextColumn("What", width=140),
        "table": st.column_config.TextColumn("Table", width=150),
        "model": st.column_config.TextColumn("Model", width=130),
        "who": st.column_config.TextColumn("Who", width=90),
        "when": st.column_config.TextColumn("When", width=145),
        "took": st.column_config.TextColumn("Took", width=100),
        "message": st.column_config.TextColumn("Why it failed"),
    }


def matches(job: queue.Job, text: str) -> bool:
    """Whether a job has a text in its line or its title, in capitals or not."""
    said = " ".join(map(str, (*line(job).values(), job.title))).lower()
    return text.strip().lower() in said


def again(job: queue.Job) -> queue.Job:
    """Start a job of the same commands, which are run even if nothing has changed since."""
    commands = [_forced([word for word in command if word != queue.RESUME]) for command in job.commands]
    return queue.start(navigation.workspace(), job.title, commands)


def _forced(command: list[str]) -> list[str]:
    return command if command[0] not in FORCED or "--force" in command else [*command, "--force"]


def log(job: queue.Job) -> str:
    """Return the end of what a job's commands have written, in lines, without folders and passwords."""
    with suppress(OSError), (job.path / LOG).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - LOGGED, 0))
        lines = file.read().decode("utf-8", "replace").splitlines()[1 if size > LOGGED else 0 :]
        return "\n".join(plain(without_folders(without_passwords(text))) for text in _texts(lines))
    return ""


def _texts(lines: list[str]) -> Iterator[str]:
    """Yield the lines of a log as people read them."""
    for text in lines:
        found = None
        with suppress(ValueError):
            found = json.loads(text)
        if not isinstance(found, dict) or "message" not in found:
            yield text
        elif found.get("level") == "progress":
            yield f"{100 * float(found.get('share') or 0):5.1f} % {found['message']}"
        else:
            yield f"{found.get('level', '')}: {found['message']}"
