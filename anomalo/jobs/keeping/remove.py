"""Remove saved models, runs and jobs: first what would be removed, and whether it is in use; then the removal."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from anomalo.errors import UnknownModelError, UsageError, did_you_mean
from anomalo.jobs.background import queue
from anomalo.persistence.resume import require_stopped, unfinished
from anomalo.tabular.quantities import count
from anomalo.workspace.versions import in_use
from anomalo.workspace.workspace import ModelRecord, RunRecord, Workspace

KINDS = ("model", "run", "runs", "job")
MODEL_OPTIONS = ("--with", "--shadow", "--from")
"""The options of verbs that name a saved model."""


@dataclass(frozen=True)
class Item:
    """Something to remove.

    Attributes
    ----------
    name : str
        A model's version, a run or a job.
    bytes : int
        The size of its files.
    created : str
        UTC, ISO 8601; empty if it is not known.
    note : str
        What its user should know, in a few words.
    """

    name: str
    bytes: int
    created: str = ""
    note: str = ""


@dataclass(frozen=True)
class Removal:
    """What is going to be removed, and the function that does it."""

    items: tuple[Item, ...]
    remove: Callable[[], None]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(item.bytes for item in self.items)


def remove_models(store: Workspace, references: Sequence[str]) -> Removal:
    """Prepare the removal of versions of models: `ID@3` and `ID@tag` mean one, `ID` means all.

    Raises
    ------
    UsageError
        There is no such version, or one is in use: it has a tag, or a job that is running or can be resumed has it.
    """
    records: dict[str, ModelRecord] = {}
    for reference in references:
        named = [store.model(reference)] if "@" in reference else store.models(reference)
        if not named:
            store.model(reference)  # raises, with the names that there are
        records |= {record.reference: record for record in named}
    users = dict(_users(store))
    for record in records.values():
        if record.tags:
            raise UsageError(in_use(record.reference, record.tags[0]))
        if record.reference in users:
            raise UsageError(f"{record.reference} is in use: {users[record.reference]}")
    runs = Counter(run.model for run in store.runs())
    items = [
        Item(record.reference, size(record.path), record.created, _referring(runs[record.reference]))
        for record in records.values()
    ]
    return Removal(tuple(items), lambda: store.remove(list(records.values())))


def remove_runs(store: Workspace, identities: Sequence[str]) -> Removal:
    """Prepare the removal of runs by their ids.

    Raises
    ------
    UsageError
        There is no such run: one that a job is writing is none yet.
    """
    return _runs(store, list({identity: store.run(identity) for identity in identities}.values()))


def remove_old_runs(store: Workspace, age: timedelta | None, keep: int = 0) -> Removal:
    """Prepare the removal of all runs of at least some age, but for the newest ones.

    Parameters
    ----------
    age : timedelta, optional
        Since the run began; none: any age.
    keep : int
        So many of the newest runs stay, of whatever age.
    """
    runs = store.runs()
    candidates = runs[: max(len(runs) - keep, 0)]
    before = datetime.now(UTC) - (age or timedelta(0))
    return _runs(store, [run for run in candidates if datetime.fromisoformat(run.created) <= before])


def remove_jobs(store: Workspace, names: Sequence[str]) -> Removal:
    """Prepare the removal of jobs: of those in the background by id, and of interrupted ones that could be resumed.

    Raises
    ------
    UsageError
        There is no such job, or it is running.
    """
    home = store.workspace
    background = {job.id: job for job in queue.jobs(home)}
    kept = unfinished(home / "unfinished")
    items = []
    for name in dict.fromkeys(names):
        if name in background:
            queue.require_ended(home, name)
            items.append(Item(name, size(background[name].path), background[name].created, background[name].status))
        elif name in kept:
            require_stopped(home / "unfinished" / name)
            items.append(Item(name, size(home / "unfinished" / name), note="can be resumed"))
        else:
            known = [*background, *kept]
            guess = did_you_mean(name, known) or ";"
            raise UsageError(f"no job is named {name!r}{guess} there are: {', '.join(known) or f'none in {home}'}")

    def remove() -> None:
        for item in items:
            if item.name in background:
                queue.remove(home, item.name)
            else:
                store.discard(item.name)

    return Removal(tuple(items), remove)


def size(folder: Path) -> int:
    """Return how many bytes the files of a folder have."""
    return sum(os.lstat(os.path.join(root, file)).st_size for root, _, files in os.walk(folder) for file in files)


def _runs(store: Workspace, runs: list[RunRecord]) -> Removal:
    items = [Item(run.id, size(run.path), run.created) for run in runs]
    return Removal(tuple(items), lambda: store.remove(runs))


def _referring(runs: int) -> str:
    return f"{count(runs, 'run')} of it {'stays' if runs == 1 else 'stay'} readable" if runs else ""


def _users(store: Workspace) -> Iterator[tuple[str, str]]:
    """Yield each version that a job has, and why it is therefore not removed."""
    for name, task in unfinished(store.workspace / "unfinished").items():
        for reference in _models_of(task):
            yield reference, f"{name} is running, or can be resumed; let it end, or first `anomalo rm job {name}`"
    for job in queue.jobs(store.workspace):
        if job.status == "running":
            for reference in _named(store, job.commands[job.step :]):
                yield reference, f"the job {job.id} is running; wait for its end, or stop it"


def _models_of(task: dict[str, Any]) -> Iterator[str]:
    """Yield the versions that an unfinished job reads."""
    for part in (task.get("model"), task.get("shadow"), task.get("initial")):
        if isinstance(part, dict) and isinstance(part.get("reference"), str):
            yield part["reference"]
        elif isinstance(part, str) and "@" in part:
            yield part


def _named(store: Workspace, commands: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the versions that commands name."""
    for command in commands:
        for option, value in pairwise(command):
            if option in MODEL_OPTIONS:
                try:
                    yield store.model(value).reference
                except UnknownModelError:  # an earlier command of the job fits it
                    continue
