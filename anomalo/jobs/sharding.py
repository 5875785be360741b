"""The results of a long job, kept batch by batch as shards, so that a killed job can be resumed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.errors import SchemaError, UsageError
from anomalo.jobs.context import Counts, JobContext, Opened
from anomalo.jobs.engines.local import ahead
from anomalo.persistence.atomic import append_line
from anomalo.persistence.checksums import array_digest, digest
from anomalo.persistence.resume import Arrays, ResumableState, resumable_state
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.column import read_notes
from anomalo.tabular.reading.stdin import STDIN
from anomalo.version import __version__
from anomalo.workspace.workspace import ModelRecord, RunRecord

MANIFEST = "manifest.jsonl"

Rows = NDArray[np.int64]
Found = tuple[Arrays, Counts]
Find = Callable[[Encoded, Rows], Found]


@dataclass
class Shards:
    """The finished shards of one job: a safetensors file each, and a manifest with one line for each.

    Parameters
    ----------
    job : ResumableState
        The folder that holds them.
    """

    job: ResumableState
    _listed: dict[str, dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        # If a damaged shard was computed again, the later line is valid.
        self._listed = {str(entry.get("shard")): entry for entry in _entries(self.job.folder / MANIFEST)}

    def __len__(self) -> int:
        return len(self._listed)

    def load(self, kind: str, rows: Rows) -> Found | None:
        """Return the results of these rows; None if there are none, or if the shard is damaged."""
        name = _name(kind, rows)
        entry = self._listed.get(name, {})
        with suppress(OSError):
            if entry.get("numbers") == array_digest(rows):
                return self.job.load(name, entry.get("sha256", ""))
        return None

    def save(self, kind: str, rows: Rows, arrays: Arrays, counts: Counts) -> None:
        """Save the results of these rows.

        Parameters
        ----------
        kind : str
            Which results they are.
        rows : int64 [n]
            The rows' numbers in the input; at least one.
        arrays : dict of str to ndarray
            The results, of any shapes.
        counts : dict
            What was counted in them.

        Raises
        ------
        OutputError
            They cannot be written.
        """
        name = _name(kind, rows)
        checksum = self.job.save(name, arrays, counts)
        entry = {"shard": name, "first": int(rows[0]), "rows": len(rows)}
        entry |= {"numbers": array_digest(rows), "sha256": checksum}
        # Appended: to write the manifest whole each time would cost the square of the number of shards.
        append_line(self.job.folder / MANIFEST, json.dumps(entry))
        self._listed[name] = entry


@dataclass(frozen=True)
class Part:
    """Some rows of the input, in one shard.

    Attributes
    ----------
    rows : int64 [n]
        Their numbers in the input, ascending.
    batch : RecordBatch [n]
        The same rows, raw.
    data : Encoded [n] or None
        The same rows, encoded; None if they are not, since their results were kept.
    arrays, counts
        Their results, once they are there.
    """

    rows: Rows
    batch: pa.RecordBatch
    data: Encoded | None = None
    arrays: Arrays = field(default_factory=dict)
    counts: Counts = field(default_factory=dict)

    def take(self, at: NDArray[np.intp]) -> Part:
        """Return the rows at these positions, by copy and without results."""
        data = None if self.data is None else self.data.take(at)
        return Part(self.rows[at], self.batch.take(pa.array(at)), data)


@dataclass
class Work:
    """A resumable job on one table with one model.

    Attributes
    ----------
    context, source, opened
        The job's context, its table and its model.
    job : ResumableState
        The state that is kept until the job is done.
    shards : Shards
        The finished results, batch by batch.
    warnings : tuple of str
        A sentence if there was nothing to resume, and those of the source's reader.
    schema : Schema
        The Arrow schema of the source's batches, once the first part is there.
    """

    context: JobContext
    source: str
    opened: Opened
    job: ResumableState
    shards: Shards
    warnings: tuple[str, ...]
    schema: pa.Schema = field(default_factory=lambda: pa.schema([]), init=False)

    @property
    def fitted(self) -> Fitted:
        """The job's model."""
        return self.opened.fitted

    @property
    def owner(self) -> str:
        """The owner of temporary files, for `atomic_file`."""
        return self.job.folder.name

    def identifiers(self, batch: pa.RecordBatch) -> pa.Array | None:
        """Return the cells of the column that names the rows; None if there is none."""
        name = self.fitted.schema.id
        if name not in batch.schema.names:
            return None
        cells = batch.column(name)
        return pc.cast(cells, cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells

    def parts(self, kind: str, find: Find) -> Iterator[Part]:
        """Read the source, and yield it batch by batch with the results; see `found`."""
        return self.found(kind, find, self._batches())

    def found(self, kind: str, find: Find, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield parts in order with their results, which are loaded if kept, else computed and kept.

        Parameters
        ----------
        kind : str
            Which results they are.
        find : callable
            Computes the results of encoded rows, whose numbers it is given too.
        parts : iterable of Part
            None of them empty. One is encoded, if it is not yet, only if its results are not kept.
        """
        for part in ahead(self._prepared(kind, parts)):
            if part.arrays or part.data is None:
                yield part
            else:
                arrays, counts = find(part.data, part.rows)
                self.shards.save(kind, part.rows, arrays, counts)
                yield replace(part, arrays=arrays, counts=counts)

    def _batches(self) -> Iterator[Part]:
        """Yield the source's batches that have rows."""
        first, opened = 0, self.opened
        for batch in self.context.read(self.source if opened.table is None else opened.table):
            if first == 0:
                self._see(batch.schema)
            self.fitted.schema.check(batch.schema.names)
            rows = np.arange(first, first + batch.num_rows)
            if len(rows):
                yield Part(
                    rows, batch, None if opened.data is None else opened.data.take(slice(first, first + len(rows)))
                )
            first += len(rows)

    def _see(self, schema: pa.Schema) -> None:
        """Keep the schema of the source, and what its reader has to say of it, unless the fit has said it."""
        self.schema = schema
        if self.opened.table is None:
            self.warnings = tuple(dict.fromkeys([*self.warnings, *read_notes(schema).get("warnings", [])]))

    def _prepared(self, kind: str, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield each part with its results if they are kept, else with its encoded rows."""
        for part in parts:
            kept = self.shards.load(kind, part.rows)
            if kept is not None:
                yield replace(part, arrays=kept[0], counts=kept[1])
            elif part.data is not None:
                yield part
            else:
                yield replace(part, data=self.fitted.encode(part.batch, int(part.rows[0]), strict=self.context.strict))


Result = TypeVar("Result", covariant=True)


class Job(Protocol[Result]):
    """What a verb does with a table, from the source to the run's folder and the output."""

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all files, and return the run's summary."""

    def result(self, run: RunRecord) -> Result:
        """Return the result of `write`."""


def stored(
    context: JobContext,
    verb: str,
    source: str,
    reference: str | Opened,
    create: Callable[[Work], Job[Result]],
    *,
    output: Path | None,
    device: str,
    resume: bool,
) -> Result:
    """Run a job with a saved model, and store it as a run; a killed one continues with `resume`.

    Parameters
    ----------
    reference : str or Opened
        The saved model, or one that is opened already, with the rows of `source` if it has a table.

    Raises
    ------
    SchemaError
        The table does not fit the model's schema.
    SourceError, OutputError
        The table cannot be read, or the output not written.
    UsageError
        There is no such model, or it does not have the verb; this job is running already; or the job to resume is of
        another source, model or device.
    """
    context.check_output(output, source)
    if isinstance(reference, Opened):
        opened = reference
        opened.fitted.require(verb)
    else:
        opened = Opened(*context.load(reference, verb, device))
    with resumable(context, verb, source, opened, device=device, resume=resume) as work:
        job = create(work)
        run = context.store.add_run(
            verb, job.write, model=opened.record, source=source, summary=context.read_facts, job=work.job
        )
    context.registry.run_saved(context.store, run.id)
    return job.result(run)


@contextmanager
def resumable(
    context: JobContext, verb: str, source: str, opened: Opened, *, device: str, resume: bool
) -> Iterator[Work]:
    """Run a job inside, whose state is kept in the workspace until it is done.

    Raises
    ------
    UsageError
        Another process runs this job, or the source, the model or the device has changed.
    OutputError
        The workspace cannot be written.
    """
    if resume and source == STDIN:
        raise UsageError("--resume cannot continue a table from standard input, which is gone; give a file")
    task = _task(verb, source, opened.record, device)
    task["source"] |= context.read_facts
    key = digest("\0".join((verb, opened.record.reference, task["source"]["path"])).encode())[:12]
    with resumable_state(context.store.workspace / "unfinished" / f"{verb}-{key}", task, resume=resume) as job:
        shards = Shards(job)
        nothing = resume and not job.resumed
        warnings = (f"nothing to resume: `{verb}` started from the beginning",) if nothing else ()
        try:
            yield Work(context, source, opened, job, shards, warnings)
        except BaseException as error:
            # A table that does not fit the model does not fit it the next time either.
            if isinstance(error, SchemaError) or not shards:
                shutil.rmtree(job.folder, ignore_errors=True)
            raise


def _task(verb: str, source: str, model: ModelRecord, device: str) -> dict[str, Any]:
    manifest = (model.path / "manifest.json").read_bytes()
    return {
        "anomalo": __version__,
        "verb": verb,
        "model": {"reference": model.reference, "sha256": digest(manifest)},
        "device": device,
        "source": _facts(source),
    }


def _facts(source: str) -> dict[str, Any]:
    """Return facts that show whether a source has changed; only its name if it is not a local file."""
    path = Path(os.path.abspath(source))
    if not path.is_file():
        return {"path": source}
    state = path.stat()
    seconds, fraction = divmod(state.st_mtime_ns, 10**9)
    modified = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{fraction:09} UTC"
    return {"path": str(path), "bytes": state.st_size, "modified": modified}


def _name(kind: str, rows: Rows) -> str:
    return f"{kind}-{rows[0]:012}"


def _entries(manifest: Path) -> Iterator[dict[str, Any]]:
    """Yield the manifest's lines that are whole."""
    for line in manifest.read_text(errors="replace").splitlines() if manifest.exists() else ():
        with suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                yield entry
