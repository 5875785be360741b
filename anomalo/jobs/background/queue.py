"""Background jobs: commands that a worker process runs one after another, independently of the caller's process."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anomalo.jobs
from anomalo.errors import AnomaloError, OutputError, UsageError
from anomalo.jobs.background.commands import ask
from anomalo.jobs.background.state import COMMAND, JOB, LOG, RESERVED, STOP, WORKER, State, Status, held, is_held, write
from anomalo.workspace.authorship import USER, who

__all__ = ["FOLDER", "Job", "ask", "job", "jobs", "remove", "require_ended", "resume", "start", "stop"]

FOLDER = "{job}"
"""Stands for the job's folder at the beginning of a command's argument: `{job}/table.csv`."""
RESUME = "--resume"
DIED = "the process that did the work is gone: it was killed, or the machine restarted"


@dataclass(frozen=True)
class Job:
    """Commands that run in the background, or have run.

    Attributes
    ----------
    id : str
        A number that sorts by time, and the first verb: `0003-fit`.
    title : str
        For people.
    commands : tuple of tuple of str
        The commands, each without the leading "anomalo".
    status : {"running", "done", "failed", "stopped", "died"}
        "stopped" if it was interrupted; "died" if its process ended without recording why.
    step : int
        The running command, counted from 0, or the one where the job ended.
    share : float
        How much of that command is done, from 0 to 1; 0 where this is unknown.
    text : str
        A text beside the progress, such as "loss 0.71".
    left : float or None
        Seconds to the end of that command, where they can be estimated.
    message : str
        Why the job failed, in one line; else empty.
    exit_code : int or None
        That of the command where the job ended, 3 if one hit a gate that the user set; None while the job runs and if
        it died.
    created : str
        UTC, ISO 8601.
    who : str
        Who started it; empty if that was not noted.
    seconds : float
        How long the job has run, over all attempts.
    path : Path
        The job's folder; `log.txt` has all that the commands wrote to stderr.
    results : tuple
        What each finished command printed with --json.
    warnings : tuple of str
        The warnings of the commands.
    """

    id: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    status: Status
    step: int
    share: float
    text: str
    left: float | None
    message: str
    exit_code: int | None
    created: str
    who: str
    seconds: float
    path: Path
    results: tuple[Any, ...] = field(hash=False)
    warnings: tuple[str, ...]


def start(workspace: Path, title: str, commands: Sequence[Sequence[str]], files: Mapping[str, bytes] = {}) -> Job:
    """Start a job and return at once; it continues after this process ends.

    Parameters
    ----------
    workspace : Path
        The workspace of the commands, which also keeps the job. It is created if it is absent.
    title : str
        For people.
    commands : sequence of sequence of str
        Run one after another, as long as each succeeds (exit code 0 or 3).
    files : mapping of str to bytes
        Written into the job's folder first; an argument `{job}/NAME` means one of them.

    Raises
    ------
    UsageError
        There is no command, or a file's name is not valid.
    OutputError
        The workspace cannot be written.
    """
    _check(commands, files)
    with _writing(workspace) as root:
        folder = root / f"{_latest(root) + 1:04}-{commands[0][0]}"
        folder.mkdir()
        try:
            with held(folder / WORKER) as lock:
                _lay_out(folder, title, commands, files)
                _launch(folder, lock, str(Path.cwd()))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return job(workspace, folder.name)


def jobs(workspace: Path) -> list[Job]:
    """List the jobs of a workspace, the newest first; reading creates nothing."""
    folders = sorted(_folders(workspace / "jobs"), key=_number, reverse=True)
    return [found for found in map(_read, folders) if found is not None]


def job(workspace: Path, identity: str) -> Job:
    """Find a job by its id.

    Raises
    ------
    UsageError
        There is no such job; the message lists the latest.
    """
    folder = workspace / "jobs" / identity
    found = _read(folder) if folder in _folders(workspace / "jobs") else None
    if found is None:
        latest = ", ".join(known.id for known in jobs(workspace)[:20]) or f"none in {workspace}"
        raise UsageError(f"no job is named {identity!r}; the latest are: {latest}")
    return found


def stop(workspace: Path, identity: str) -> None:
    """Interrupt a running job as Ctrl-C would; it is "stopped" once its command has ended.

    Raises
    ------
    UsageError
        There is no such job, or it is not running.
    """
    with _taking(workspace, identity, "running") as found:
        (found.path / STOP).touch()
        with suppress(ProcessLookupError):
            os.kill(int((found.path / WORKER).read_text()), signal.SIGTERM)


def resume(workspace: Path, identity: str) -> Job:
    """Resume a job at the step where it failed, was stopped or died; finished steps are not run again.

    Raises
    ------
    UsageError
        There is no such job, or its status does not allow it.
    OutputError
        The workspace cannot be written.
    """
    with _taking(workspace, identity, "failed", "stopped", "died") as found, held(found.path / WORKER) as lock:
        (found.path / STOP).unlink(missing_ok=True)
        asked = json.loads((found.path / JOB).read_text())
        command = asked["commands"][found.step]
        if RESUME not in command and can_resume(command[0]):
            command.append(RESUME)
            write(found.path / JOB, asked)
        State.load(found.path).again().save(found.path)
        _launch(found.path, lock, asked["cwd"])
    return job(workspace, identity)


def require_ended(workspace: Path, identity: str) -> None:
    """Check that a job has ended, its last command too.

    Raises
    ------
    UsageError
        There is no such job, or it is running.
    """
    found = job(workspace, identity)
    command = found.path / COMMAND
    if found.status == "running" or (command.exists() and is_held(command)):
        raise UsageError(f"job {identity} is running; wait for its end, or stop it first")


def remove(workspace: Path, identity: str) -> None:
    """Remove a job that has ended, with its log and its files; its runs and models stay.

    Raises
    ------
    UsageError
        There is no such job, or it is running.
    OutputError
        The workspace cannot be written.
    """
    require_ended(workspace, identity)
    with _writing(workspace) as root:
        require_ended(workspace, identity)
        (root / identity / JOB).unlink()  # first: it is no job any more
        for folder in root.glob("*"):
            if _number(folder) and not (folder / JOB).exists():  # this one, and those of removals that were killed
                shutil.rmtree(folder)


def can_resume(verb: str) -> bool:
    """Whether a verb has the option --resume: whether the function that does it takes `resume`."""
    for module in pkgutil.walk_packages(anomalo.jobs.__path__, "anomalo.jobs."):
        if module.name.endswith(f".{verb}"):
            function = getattr(importlib.import_module(module.name), verb, None)
            return callable(function) and "resume" in inspect.signature(function).parameters
    return False


@contextmanager
def _writing(workspace: Path) -> Iterator[Path]:
    """Lock the jobs of a workspace inside, to change them; yields their folder."""
    root = workspace.resolve() / "jobs"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with held(root / ".lock"):
            yield root
    except AnomaloError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {root}: {error.strerror or error}; free disk space, or choose a writable workspace"
        ) from error


@contextmanager
def _taking(workspace: Path, identity: str, *allowed: Status) -> Iterator[Job]:
    """Lock one job inside, to change it, if its status is one of those allowed."""
    job(workspace, identity)  # fails if there is no workspace, which must not be created
    with _writing(workspace):
        found = job(workspace, identity)
        if found.status not in allowed:
            raise UsageError(f"job {identity} is {found.status}; expected one that is {' or '.join(allowed)}")
        yield found


def _check(commands: Sequence[Sequence[str]], files: Mapping[str, bytes]) -> None:
    if not commands or not all(command and re.fullmatch(r"[A-Za-z0-9_-]+", command[0]) for command in commands):
        raise UsageError(f"got the commands {commands!r}; expected one or more, each beginning with a verb")
    for name in files:
        if Path(name).name != name or name in ("", "..", *RESERVED):
            raise UsageError(f"{name!r} cannot be the name of a job's file; give a plain name, such as 'table.csv'")


def _lay_out(folder: Path, title: str, commands: Sequence[Sequence[str]], files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    State().save(folder)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    asked = {"title": title, "commands": [list(command) for command in commands], "who": who()}
    # Written last: a folder without it is not a job yet.
    write(folder / JOB, asked | {"created": created, "cwd": str(Path.cwd())})


def _launch(folder: Path, lock: int, cwd: str) -> None:
    """Start the worker; it inherits the lock, which is therefore held at all times."""
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "anomalo.jobs.background.worker", str(folder.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Names of tables are seen from where the job was first started.
            cwd=cwd if os.path.isdir(cwd) else None,
            env=os.environ | {USER: who()},
            start_new_session=True,
            pass_fds=[lock],
        )
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(process.pid).encode(), 0)
    # Its exit status must be read, or it stays in the table of processes.
    threading.Thread(target=process.wait, daemon=True).start()


def _folders(root: Path) -> list[Path]:
    return [folder for folder in root.glob("*") if _number(folder) and (folder / JOB).is_file()]


def _number(folder: Path) -> int:
    found = re.match(r"([0-9]+)-", folder.name)
    return int(found[1]) if found else 0


def _latest(root: Path) -> int:
    return max(map(_number, root.glob("*")), default=0)


def _read(folder: Path) -> Job | None:
    """Read a job at any time, also while it runs; None if its files are damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        # In this order: a worker writes its last state before it releases the lock.
        at_work = is_held(folder / WORKER)
        state = State.load(folder)
        asked = json.loads((folder / JOB).read_text())
        if state.status == "running" and not at_work and not is_held(folder / WORKER):
            state.status = "stopped" if (folder / STOP).exists() else "died"
            state.message = "" if state.status == "stopped" else DIED
        since = time.time() - state.written if state.status == "running" else 0.0
        return Job(
            id=folder.name,
            title=asked["title"],
            commands=tuple(tuple(_expanded(folder, part) for part in command) for command in asked["commands"]),
            status=state.status,
            step=state.step,
            share=state.share,
            text=state.text,
            left=None if state.left is None else max(state.left - since, 0.0),
            message=state.message,
            exit_code=None if state.status in ("running", "died") else state.exit_code,
            created=asked["created"],
            who=asked.get("who", ""),
            seconds=state.seconds + max(since, 0.0),
            path=folder,
            results=tuple(state.results),
            warnings=tuple(state.warnings),
        )
    return None


def _expanded(folder: Path, argument: str) -> str:
    here = f"{FOLDER}/"
    return str(folder.resolve() / argument.removeprefix(here)) if argument.startswith(here) else argument
