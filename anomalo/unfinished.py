"""What a long job has done so far, kept in a folder so that a killed job can go on exactly where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from anomalo.errors import OutputError, UsageError
from anomalo.files import atomic_file

TASK = "task.json"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Unfinished:
    """The folder of one job that is under way, and nobody else's: it is locked.

    Attributes
    ----------
    folder : Path
        Where the job keeps its parts; removed once the job is done.
    resumed : bool
        Whether an earlier attempt at the same task left parts here.
    """

    folder: Path
    resumed: bool

    def save(self, name: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Keep a part, `<name>.safetensors`: whole, fsynced and checksummed, or as it was before.

        Parameters
        ----------
        name : str
            What `load` finds it by.
        arrays : mapping of str to ndarray
            Any shapes; types that safetensors knows.
        facts : mapping
            JSON-ready values; numbers come back to the bit.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        plain = {key: array.copy(order="C") for key, array in arrays.items()}
        text = json.dumps(facts)
        notes = {"facts": text, "sha256": _digest(plain, text)}
        with atomic_file(self.folder / f"{name}.safetensors") as temporary:
            temporary.write_bytes(safetensors.numpy.save(plain, notes))

    def load(self, name: str) -> tuple[Arrays, dict[str, Any]] | None:
        """Return a part's arrays and facts; None if there is no such part, or if it is damaged."""
        path = self.folder / f"{name}.safetensors"
        with suppress(FileNotFoundError, SafetensorError, KeyError, ValueError):
            with safetensors.safe_open(path, framework="np") as file:
                notes = file.metadata()
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if notes["sha256"] == _digest(arrays, notes["facts"]):
                return arrays, json.loads(notes["facts"])
        return None

    def remove(self, name: str) -> None:
        """Forget a part."""
        (self.folder / f"{name}.safetensors").unlink(missing_ok=True)


@contextmanager
def unfinished(folder: Path, task: Mapping[str, Any], *, resume: bool) -> Iterator[Unfinished]:
    """Do a job inside that can be resumed; its folder is removed when the job ends without an exception.

    Parameters
    ----------
    folder : Path
        Belongs to this job; made if it is absent.
    task : mapping
        JSON-ready facts that say what the job computes. Parts of another task are never gone on with.
    resume : bool
        Whether to keep the parts of an earlier attempt; else they are removed.

    Raises
    ------
    UsageError
        Another process is at this job, or what there is to resume is of another task.
    OutputError
        The folder cannot be written.
    """
    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"), timeout=0)
    with _writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise UsageError(
                f"{folder.name} is at work already in another process; wait for its end, or stop it"
            ) from None
    with lock:
        lock.release()  # the first of two holds
        with _writing(folder):
            opened = _opened(folder, task, resume)
        yield opened
        with _writing(folder):
            shutil.rmtree(folder)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error


def _opened(folder: Path, task: Mapping[str, Any], resume: bool) -> Unfinished:
    before = _task(folder) if resume else None
    if before is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with atomic_file(folder / TASK) as temporary:
            temporary.write_text(json.dumps(task, sort_keys=True, indent=1))
        return Unfinished(folder, False)
    wanted = json.loads(json.dumps(task))
    changed = [key for key in sorted({*before, *wanted}) if before.get(key) != wanted.get(key)]
    if changed:
        shown = "; ".join(f"{key} was {before.get(key)!r} and is {wanted.get(key)!r}" for key in changed)
        raise UsageError(f"cannot resume {folder.name}: {shown}; start anew without --resume")
    return Unfinished(folder, True)


def _task(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads((folder / TASK).read_text())
        return found
    return None


def _digest(arrays: Mapping[str, NDArray[Any]], text: str) -> str:
    return hashlib.sha256(safetensors.numpy.save(dict(arrays), {"facts": text})).hexdigest()
