"""The folder of a background job: its files, its state, and the locks that show whether it is running."""

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
"""The request: title, commands, when it was made and in which folder."""
STATE = "state.json"
"""The progress; see `State`."""
LOG = "log.txt"
"""Everything that the commands wrote to stderr."""
OUTPUT = "output.json"
"""What the latest command printed."""
STOP = "stop"
"""Exists from a request to stop the job until it is resumed."""
WORKER = "worker.lock"
"""Held by the worker as long as it lives; holds its process id."""
COMMAND = "command.lock"
"""Held by the worker and its running command, which may outlive it for a moment."""
RESERVED = (JOB, STATE, LOG, OUTPUT, STOP, WORKER, COMMAND)

Status = Literal["running", "done", "failed", "stopped", "died"]


@dataclass
class State:
    """The progress of a job, as its worker last wrote it; a worker that was killed leaves the status "running"."""

    status: Status = "running"
    step: int = 0
    share: float = 0.0
    text: str = ""
    left: float | None = None
    message: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    written: float = field(default_factory=time.time)
    warnings: list[str] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)

    def again(self) -> State:
        """Return the state of a job that begins its current step again."""
        return State(step=self.step, seconds=self.seconds, warnings=self.warnings, results=self.results)

    def save(self, folder: Path) -> None:
        """Replace the saved state, atomically."""
        self.written = time.time()
        write(folder / STATE, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> State:
        """Read the state that was saved last."""
        return cls(**json.loads((folder / STATE).read_text()))


def write(path: Path, value: Any) -> None:
    """Write JSON atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value))


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Wait for a lock and hold it inside; a process that inherits the descriptor holds it until it ends.

    The operating system releases the lock when the last of these processes ends.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether any process holds a lock."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
