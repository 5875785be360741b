"""What workers compute: the results of the rows of one part, with a saved model that each worker loads once."""

from __future__ import annotations

import os
import pickle
import tempfile
import traceback
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from anomalo.errors import EngineError
from anomalo.jobs.context import limited
from anomalo.jobs.part import Find, Found, Part
from anomalo.models.guard import INTERRUPTION
from anomalo.persistence.checksums import digest
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.saved_model import load_fitted
from anomalo.registry.engine import Payload
from anomalo.registry.registry import Registry
from anomalo.version import __version__

LENGTH = 8
"""Bytes of the last field of a task, which is the number of bytes of the first one."""


@dataclass
class ShardWork:
    """Returns the results of a task of `task_of`; it can be pickled, and loads the model at its first task.

    Parameters
    ----------
    folder : str
        The saved model.
    files : dict of str to bytes
        The files in it, for workers that do not see the folder; empty for those that do.
    device : str
        Where to compute.
    strict : bool
        Whether a cell that is not of its column's kind is an error.
    threads : int
        How many threads the numerical libraries use.
    version : str
        That of anomalo, which has to be the worker's too.
    creator : int
        The process of the command.
    """

    folder: str
    files: dict[str, bytes]
    device: str
    strict: bool
    threads: int
    version: str = __version__
    creator: int = field(default_factory=os.getpid)

    @classmethod
    def of(cls, folder: Path, carried: bool, device: str, strict: bool, threads: int) -> ShardWork:
        """Return the work with a saved model, whose files are carried along if the workers do not see them."""
        paths = [path for path in folder.rglob("*") if path.is_file()] if carried else []
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        return cls(str(folder.absolute()), files, device, strict, threads)

    def __call__(self, task: Payload) -> bytes:
        """Return the results, or the error that there was instead; see `results_of`. No task: load the model."""
        try:
            if not task:
                _ = self._fitted
                return b""
            with limited(self.threads):
                find, part = _opened(task)
                return pickle.dumps(find(self._fitted, part.encoded(self._fitted, self.strict), part), protocol=5)
        except Exception as error:
            return _failed(error)

    @cached_property
    def _fitted(self) -> Fitted:
        if self.version != __version__:
            raise EngineError(
                f"a worker has anomalo {__version__}, and this is {self.version}; "
                "install the same version on all machines"
            )
        if os.getpid() != self.creator:
            INTERRUPTION.handled = True  # the user's Ctrl-C is not for workers: a plugin's is a failure of it
        folder = Path(self.folder)
        if not self.files or _holds(folder, self.files):
            return load_fitted(folder, Registry.load(), self.device)
        with tempfile.TemporaryDirectory(prefix="anomalo-") as name:
            for file, content in self.files.items():
                path = Path(name, file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            return load_fitted(Path(name), Registry.load(), self.device)


def task_of(find: Find, part: Part) -> memoryview:
    """Return the rows of a part, and what finds their results, as bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, part.batch.schema) as stream:
        for batch in (part.batch, part.before, part.after):
            stream.write_batch(part.batch.slice(0, 0) if batch is None else batch)
    length = sink.tell()
    sink.write(pickle.dumps((find, part.rows, part.begins), protocol=5))
    sink.write(length.to_bytes(LENGTH, "little"))
    return memoryview(sink.getvalue())


def results_of(result: Payload) -> Found:
    """Return the results that a worker found.

    Raises
    ------
    Exception
        The one that was raised in the worker, which is this process's, or that of a cluster that it trusts.
    """
    found: Any = pickle.loads(result)
    if isinstance(found, Exception):
        raise found
    return found  # type: ignore[no-any-return]


def _opened(task: Payload) -> tuple[Find, Part]:
    buffer = pa.py_buffer(task)
    length = int.from_bytes(buffer[-LENGTH:], "little")
    find, rows, begins = pickle.loads(buffer[length:-LENGTH])
    with pa.ipc.open_stream(buffer.slice(0, length)) as stream:
        batch, before, after = stream
        around = [each if each.num_rows else None for each in (before, after)]
        return find, Part(rows, batch, None, {}, {}, begins, *around)


def _failed(error: Exception) -> bytes:
    """Return an error as a result, with the traceback as a note, which is shown by --debug."""
    error.add_note(f"In a worker:\n{''.join(traceback.format_exception(error))}")
    try:
        content = pickle.dumps(error, protocol=5)
        pickle.loads(content)
    except Exception:  # its class takes other arguments, or holds what cannot be sent
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"), protocol=5)
    return content


def _holds(folder: Path, files: dict[str, bytes]) -> bool:
    """Whether a folder is there with the same model."""
    return all(
        (folder / name).is_file() and digest((folder / name).read_bytes()) == digest(content)
        for name, content in files.items()
    )
