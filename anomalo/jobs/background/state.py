"""The folder of a background job: what is kept in it, and the locks that tell whether it is at work."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from anomalo.persistence.atomic import atomic_file

JOB = "job.json"
"""What is to be done: title, commands, when it was asked for and in which folder."""
STATE = "state.json"
"""How far it is; see `State`."""
LOG = "log.txt"
"""Everything that the commands wrote to stderr."""
OUTPUT = "output.json"
"""What the latest command printed."""
STOP = "stop"
"""Is there from when someone asks the job to stop until someone resumes it."""
WORKER = "worker.lock"
"""Held by the worker as long as it lives; holds its process id."""
COMMAND = "command.lock"
"""Held by the worker and the command at work, which may outlive it by a moment."""
OWN = (JOB, STATE, LOG, OUTPUT, STOP, WORKER, COMMAND)

Status = Literal["running", "done", "failed", "stopped", "died"]


@dataclass
class State:
    """How far a job is, as its worker last wrote it; a worker that died leaves "running" behind."""

    status: Status = "running"
    step: int = 0
    share: float = 0.0
    text: str = ""
    message: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    written: float = field(default_factory=time.time)
    warnings: list[str] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)

    def again(self) -> State:
        """Return the state of a job that begins its step once more."""
        return State(step=self.step, seconds=self.seconds, warnings=self.warnings, results=self.results)

    def save(self, folder: Path) -> None:
        """Replace what was written before, atomically."""
        self.written = time.time()
        write(folder / STATE, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> State:
        """Read what was written last."""
        return cls(**json.loads((folder / STATE).read_text()))


def write(path: Path, value: Any) -> None:
    """Write JSON atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value))


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Wait for a lock and hold it inside; a process that is given the descriptor holds it until its own end.

    The operating system releases it with the last of these processes, however they end.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
