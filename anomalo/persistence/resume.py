"""The partial results of a long job, kept in a folder from which a killed job resumes exactly."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from anomalo.errors import OutputError, UsageError
from anomalo.persistence.atomic import atomic_file
from anomalo.persistence.checksums import arrays_digest

TASK = "task.json"
ATTEMPTS = "attempts"
Arrays = dict[str, NDArray[Any]]


SUFFIX = ".safetensors"
SHARE = 0.03
"""The largest share of a job's time that saving its state may take."""


@dataclass
class ResumableState:
    """The folder of one running job; it is locked against other processes.

    Attributes
    ----------
    folder : Path
        Where the job keeps its parts; removed once the job is done.
    attempts : int
        How often the job was started or resumed, this time included.
    seconds_before : float
        How long the earlier attempts had worked when they last saved a part.
    """

    folder: Path
    attempts: int = 1
    seconds_before: float = 0.0
    _opened: float = field(default_factory=lambda: time.monotonic())

    @property
    def resumed(self) -> bool:
        """Whether this attempt resumes an earlier one."""
        return self.attempts > 1

    @property
    def seconds(self) -> float:
        """How long the job has worked, over all attempts."""
        return self.seconds_before + time.monotonic() - self._opened

    def agree(self, **facts: Any) -> None:
        """Add facts that identify the task, and compare them with an earlier attempt's.

        Raises
        ------
        UsageError
            The earlier attempt had another task.
        OutputError
            The folder cannot be written.
        """
        task = _task(self.folder) or {}
        expected = json.loads(json.dumps(facts))
        changed = [change for key in expected if key in task for change in _changes(key, task[key], expected[key])]
        if changed:
            raise UsageError(f"cannot resume {self.folder.name}: {'; '.join(changed)}; start anew without --resume")
        with atomic_file(self.folder / TASK) as temporary:
            temporary.write_text(json.dumps(task | expected | {ATTEMPTS: self.attempts}, sort_keys=True, indent=1))

    def save(self, name: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> str:
        """Save a part, `<name>.safetensors`, atomically, fsynced and with a checksum.

        Parameters
        ----------
        name : str
            The part's name, for `load`.
        arrays : mapping of str to ndarray
            Any shapes; types that safetensors supports.
        facts : mapping
            JSON-ready values; numbers come back to the bit.

        Returns
        -------
        str
            The part's checksum.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        plain = {key: np.asarray(array, order="C") for key, array in arrays.items()}
        text = json.dumps(facts)
        checksum = arrays_digest(plain, text)
        notes = {"facts": text, "sha256": checksum, "seconds": str(self.seconds)}
        with atomic_file(self.folder / f"{name}{SUFFIX}") as temporary:
            temporary.write_bytes(safetensors.numpy.save(plain, notes))
        return checksum

    def load(self, name: str, checksum: str | None = None) -> tuple[Arrays, dict[str, Any]] | None:
        """Return a part's arrays and facts; None if there is no such part, it is damaged, or has another checksum."""
        with suppress(FileNotFoundError, SafetensorError, KeyError, ValueError):
            with safetensors.safe_open(self.folder / f"{name}{SUFFIX}", framework="np") as file:
                notes = file.metadata()
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if checksum in (None, notes["sha256"]) and notes["sha256"] == arrays_digest(arrays, notes["facts"]):
                return arrays, json.loads(notes["facts"])
        return None

    def remove(self, name: str) -> None:
        """Delete the parts whose names begin with `name`."""
        for path in self.folder.glob(f"{name}*{SUFFIX}"):
            path.unlink()


@dataclass
class Checkpoint:
    """The state of one training, saved at intervals that keep its cost small.

    Parameters
    ----------
    state : ResumableState
        The job whose folder keeps it.
    name : str
        The part's name in that folder.
    every : float
        The least number of seconds between two saves.
    """

    state: ResumableState
    name: str
    every: float = 10.0
    _saved: float = field(default_factory=lambda: time.monotonic())
    _cost: float = 0.0

    def due(self) -> bool:
        """Whether it is time to save again; with `every` = 0 it always is."""
        return not self.every or time.monotonic() - self._saved >= max(self.every, self._cost / SHARE)

    def save(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Replace what was saved before."""
        started = time.monotonic()
        self.state.save(self.name, arrays, facts)
        self._saved = time.monotonic()
        self._cost = self._saved - started

    def load(self) -> tuple[Arrays, dict[str, Any]] | None:
        """Return what was saved last, or None."""
        return self.state.load(self.name)


@contextmanager
def resumable_state(folder: Path, task: Mapping[str, Any], *, resume: bool) -> Iterator[ResumableState]:
    """Open the folder of a resumable job; it is removed when the `with` block ends without an exception.

    Parameters
    ----------
    folder : Path
        The job's folder; created if it is absent.
    task : mapping
        JSON-ready facts that identify what the job computes. Parts of another task are never resumed.
    resume : bool
        Whether to keep the parts of an earlier attempt; else they are removed.

    Raises
    ------
    UsageError
        Another process runs this job, or the parts to resume belong to another task.
    OutputError
        The folder cannot be written.
    """
    with _locked(folder) as lock:
        try:
            with _writing(folder):
                opened = _opened(folder, task, resume)
            yield opened
            with _writing(folder):
                (folder / TASK).unlink()  # first: a finished job must not look like one to resume
                shutil.rmtree(folder)
        finally:
            if not any(folder.glob(f"*{SUFFIX}")):  # nothing to resume
                shutil.rmtree(folder, ignore_errors=True)
                Path(lock.lock_file).unlink(missing_ok=True)


@contextmanager
def discarding(folder: Path) -> Iterator[ResumableState]:
    """Yield the state that a killed job left, and remove it at the end of the block.

    Raises
    ------
    UsageError
        There is none, or another process runs the job.
    OutputError
        It cannot be removed.
    """
    if _task(folder) is None:
        raise UsageError(f"no job is named {folder.name!r}")
    with _locked(folder) as lock, _writing(folder):
        yield ResumableState(folder)
        (folder / TASK).unlink()
        shutil.rmtree(folder)
        Path(lock.lock_file).unlink(missing_ok=True)


def require_stopped(folder: Path) -> None:
    """Check that no process runs a job.

    Raises
    ------
    UsageError
        One does.
    """
    with _locked(folder):
        pass


def unfinished(root: Path) -> dict[str, dict[str, Any]]:
    """Return the tasks of the jobs in a folder that are running or were killed, by their names."""
    tasks = {folder.name: _task(folder) for folder in sorted(root.glob("*")) if folder.is_dir()}
    return {name: task for name, task in tasks.items() if task is not None}


@contextmanager
def _locked(folder: Path) -> Iterator[filelock.BaseFileLock]:
    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"), timeout=0)
    with _writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise UsageError(
                f"{folder.name} is already running in another process; wait for its end, or stop it"
            ) from None
    try:
        yield lock
    finally:
        lock.release()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error


def _opened(folder: Path, task: Mapping[str, Any], resume: bool) -> ResumableState:
    before = _task(folder) if resume else None
    if before is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        state = ResumableState(folder)
    else:
        state = ResumableState(folder, before[ATTEMPTS] + 1, _seconds(folder))
    state.agree(**task)
    return state


def _seconds(folder: Path) -> float:
    """How long the job had worked when it last kept a part."""
    longest = 0.0
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(SafetensorError, KeyError, ValueError), safetensors.safe_open(path, framework="np") as file:
            longest = max(longest, float(file.metadata()["seconds"]))
    return longest


def _changes(name: str, before: Any, now: Any) -> Iterator[str]:
    """Yield a sentence for each difference, down to the keys of nested mappings."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from _changes(f"{name}.{key}", before.get(key), now.get(key))
    elif before != now:
        yield f"{name} was {_short(before)} and is {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _task(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads((folder / TASK).read_text())
        return found if ATTEMPTS in found else None
    return None
