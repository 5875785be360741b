"""What makes two jobs the same, so that one that was done before need not be run again."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from anomalo.persistence.checksums import digest, files_digest
from anomalo.registry.registry import Registry
from anomalo.tabular.reading.folder.listing import local_files
from anomalo.tabular.writing.destination import Output
from anomalo.version import __version__
from anomalo.workspace.workspace import ModelRecord, RunRecord, Workspace

NOTE = "identity"
"""The entry of a run's or model's summary that has the identity of its job."""
Record = TypeVar("Record", RunRecord, ModelRecord)
State = list[str | int]


@dataclass
class JobIdentity:
    """A job: verb, options, saved models and versions by their digest, and the contents of its sources.

    Two jobs are the same if all of these are, and if what the first one wrote is still as it was. The table's name,
    threads, workers and the engine do not count: no result depends on them.

    Attributes
    ----------
    key : str
        The digest of everything but the sources.
    sources : sequence of str
        The tables that are read. Only the content of local files is known before they are read.
    outputs : sequence of Path or Address
        What is written besides the run or the model.
    """

    key: str
    sources: Sequence[str] = ()
    outputs: Sequence[Output] = ()
    _files: list[tuple[str, Path]] | None = field(init=False)
    _states: list[State] = field(init=False)
    _digest: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        files = [_named_files(source) for source in self.sources]
        self._files = [one for part in files for one in part] if all(files) else None
        self._states = _states(path for _, path in self._files or ())

    @property
    def _bytes(self) -> int:
        return sum(int(state[1]) for state in self._states)

    def former(self, records: Sequence[Record]) -> Record | None:
        """Return the latest record that is of the same job, with all that it wrote; None if there is none.

        The sources are read only if a record has the same key, and sources of the same size.
        """
        if self._files is None:
            return None
        for record in reversed(records):
            noted = record.summary.get(NOTE, {})
            alike = (noted.get("key"), noted.get("bytes")) == (self.key, self._bytes)
            if alike and noted["outputs"] == self._written() and record.path.is_dir() and self._content(noted):
                return record
        return None

    def facts(self) -> dict[str, Any]:
        """Return what `former` compares, for the summary, once all is written; nothing if a source has changed."""
        if self._files is None or _states(path for _, path in self._files) != self._states:
            return {}
        noted = {"key": self.key, "bytes": self._bytes, "sha256": self._read(), "outputs": self._written()}
        return {NOTE: noted}

    def _content(self, noted: Mapping[str, Any]) -> bool:
        with suppress(OSError):  # the job will report it
            return bool(noted["sha256"] == self._read())
        return False

    def _read(self) -> str:
        if self._digest is None:
            contents = [[name, files_digest([path])] for name, path in self._files or ()]
            self._digest = digest(json.dumps(contents).encode())
        return self._digest

    def _written(self) -> list[State]:
        """Return path, size and time of each written file; what is in databases and at URLs is taken to be there."""
        found = [[output] if isinstance(output, Path) else local_files(output.text) for output in self.outputs]
        return _states(path for paths in found for path in paths)


def identify(
    store: Workspace,
    verb: str,
    options: Mapping[str, Any],
    sources: Sequence[str] = (),
    *,
    models: Iterable[str | None] = (),
    outputs: Iterable[Output | None] = (),
) -> JobIdentity:
    """Return the identity of a job.

    Parameters
    ----------
    options : mapping
        What its results depend on: JSON-ready values, sets, paths and dataclasses of them.
    models : iterable of str or None
        The saved models that it uses.

    Raises
    ------
    UsageError
        There is no such model.
    """
    written = [output for output in outputs if output is not None]
    facts = {
        "anomalo": __version__,
        "plugins": sorted({(info.name, info.version) for info in Registry.listing() if info.status != "disabled"}),
        "verb": verb,
        "options": options,
        "models": [_manifest(store.model(name)) for name in models if name is not None],
        "outputs": [str(_full(output)) for output in written],
    }
    return JobIdentity(digest(json.dumps(facts, sort_keys=True, default=_plain).encode()), sources, written)


def _full(output: Output) -> str:
    # As the user wrote it, with its password: a digest does not show it.
    return os.path.abspath(output) if isinstance(output, Path) else output.absolute().text


def _manifest(record: ModelRecord) -> str:
    try:
        return digest((record.path / "manifest.json").read_bytes())
    except OSError:
        return ""  # the job will report it


def _named_files(source: str) -> list[tuple[str, Path]]:
    """Return the files of a local source, each under what a reader sees of its path; none if it is not local."""
    files = local_files(source)
    if os.path.isfile(source):
        return [(files[0].suffix, files[0])]
    common = os.path.commonpath([path.parent for path in files]) if files else ""
    return [(os.path.relpath(path, common), path) for path in files]


def _states(paths: Iterable[Path]) -> list[State]:
    found: list[State] = []
    for path in paths:
        with suppress(OSError):
            state = path.stat()
            found.append([os.path.abspath(path), state.st_size, str(state.st_mtime_ns)])
    return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
