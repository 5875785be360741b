"""The results of a long job, kept batch by batch as shards, so that a killed job can be resumed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.encoding.encoded import Encoded
from anomalo.errors import SchemaError, UsageError
from anomalo.jobs.context import Counts, JobContext, Opened
from anomalo.jobs.engines.ahead import ahead
from anomalo.jobs.engines.shard_work import ShardWork
from anomalo.jobs.engines.workers import Workers
from anomalo.jobs.part import Find, Found, Part, Rows
from anomalo.jobs.series.reading import series_parts
from anomalo.persistence.atomic import append_line
from anomalo.persistence.checksums import array_digest, digest
from anomalo.persistence.resume import Arrays, ResumableState, resumable_state
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.column import read_notes
from anomalo.tabular.reading.folder.listing import local_files
from anomalo.tabular.reading.source import recorded
from anomalo.tabular.reading.stdin import STDIN
from anomalo.tabular.writing.destination import Delivery, Output, alone
from anomalo.version import __version__
from anomalo.workspace.workspace import ModelRecord, RunRecord

MANIFEST = "manifest.jsonl"
LARGE = 16_000_000
"""Bytes of a source's files from which on workers are started while this process loads the model."""


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
    delivery : Delivery
        Which job its outputs are from.
    workers : Workers or None
        What computes the parts; None if this process does.
    schema : Schema
        The Arrow schema of the source's batches, once the first part is there.
    """

    context: JobContext
    source: str
    opened: Opened
    job: ResumableState
    shards: Shards
    warnings: tuple[str, ...]
    delivery: Delivery
    workers: Workers | None = None
    schema: pa.Schema = field(default_factory=lambda: pa.schema([]), init=False)

    @property
    def fitted(self) -> Fitted:
        """The job's model."""
        return self.opened.fitted

    def identifiers(self, batch: pa.RecordBatch) -> pa.Array | None:
        """Return the cells of the column that names the rows; None if there is none."""
        name = self.fitted.schema.id
        if name not in batch.schema.names:
            return None
        cells = batch.column(name)
        return pc.cast(cells, cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells

    def parts(self, kind: str, find: Find, *, ahead: bool = False) -> Iterator[Part]:
        """Read the source, and yield it batch by batch with the results; see `found`, and `series_parts` on `ahead`."""
        return self.found(kind, find, self.read(ahead=ahead))

    def found(self, kind: str, find: Find, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield parts in order with their results, which are loaded if kept, else computed and kept.

        Parameters
        ----------
        kind : str
            Which results they are.
        find : callable
            Computes the results of rows.
        parts : iterable of Part
            None of them empty. One is encoded, if it is not yet, only if its results are not kept.

        Raises
        ------
        EngineError
            The workers are lost again and again, or cannot be started.
        """
        prepared = itertools.groupby(ahead(self._prepared(kind, parts)), lambda part: bool(part.arrays))
        for kept, run in prepared:
            for part in run if kept else self._computed(find, run):
                if not kept:
                    self.shards.save(kind, part.rows, part.arrays, part.counts)
                yield part

    def _computed(self, find: Find, parts: Iterator[Part]) -> Iterator[Part]:
        """Yield parts, in order, with their results: computed in this process, and by the workers of a long job."""
        workers = self.workers
        while workers is None or not workers.asked:
            part = next(parts, None)
            if part is None:
                return
            started = time.monotonic()
            arrays, counts = find(self.fitted, part.data or self._encoded(part), part)
            if workers is not None:
                workers.seconds += time.monotonic() - started
            yield replace(part, arrays=arrays, counts=counts)
        yield from workers.found(find, parts)

    def _encoded(self, part: Part) -> Encoded:
        return part.encoded(self.fitted, self.context.strict)

    def read(self, *, ahead: bool = False) -> Iterator[Part]:
        """Return the source's parts that have rows; of series, with the points that their windows reach."""
        fitted = self.fitted
        if fitted.schema.time is None or self.opened.data is not None:
            return self._batches()
        found, note = series_parts(self._batches, fitted, ahead=ahead, strict=self.context.strict)
        if note is not None:
            self.workers, self.warnings = None, tuple(dict.fromkeys([*self.warnings, note]))
        return found

    def _batches(self) -> Iterator[Part]:
        first, opened = 0, self.opened
        for batch in self.context.read(self.source if opened.table is None else opened.table):
            if first == 0:
                self._see(batch.schema)
            self.fitted.schema.check(batch.schema.names)
            rows = np.arange(first, first + batch.num_rows)
            if len(rows):
                data = None if opened.data is None else opened.data.take(slice(first, first + len(rows)))
                yield Part(rows, batch, data, begins=first == 0)
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
            elif part.data is not None or (self.workers is not None and self.workers.asked):
                yield part
            else:
                yield replace(part, data=self._encoded(part))


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
    output: Output | None,
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
        There is no such model or engine, or the model does not have the verb; this job is running already; or the job
        to resume is of another source, model or device.
    EngineError
        The workers are lost again and again, or cannot be started or reached.
    """
    if not resume:
        context.check_output(output, source)
    # Workers outside of the job: none is left when its state is removed.
    with alone(output), _workers(context, source, reference, device) as workers:
        if isinstance(reference, Opened):
            opened = reference
            opened.fitted.require(verb)
        else:
            opened = Opened(*context.load(reference, verb, device))
        with resumable(context, verb, source, opened, device=device, resume=resume) as work:
            work.workers = workers
            if resume:
                context.check_output(output, source, work.delivery)
            job = create(work)
            run = context.store.add_run(
                verb,
                lambda folder: job.write(folder) | context.facts(),
                model=opened.record,
                source=source,
                summary=context.read_facts,
                job=work.job,
            )
    context.delivered(output, work.delivery)
    context.registry.run_saved(context.store, run.id)
    return job.result(run)


@contextmanager
def _workers(context: JobContext, source: str, reference: str | Opened, device: str) -> Iterator[Workers | None]:
    """Give the workers of the chosen engine; none where this process computes, as with a model in memory."""
    if context.engine.in_process or isinstance(reference, Opened):
        yield None
        return
    folder, strict, threads = context.store.model(reference).path, context.strict, context.engine.threads
    engine = context.registry.engine(
        context.engine, lambda remote: ShardWork.of(folder, remote, device, strict, threads)
    )
    try:
        if sum(path.stat().st_size for path in local_files(source)) >= LARGE:
            engine.start()
        yield Workers(engine)
    finally:
        engine.close()


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
            computed = digest(json.dumps(task, sort_keys=True).encode())
            yield Work(context, source, opened, job, shards, warnings, Delivery(job.folder.name, computed, resume))
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
    """Return facts that show whether a source has changed; only its name if it is not local."""
    states = [path.stat() for path in local_files(source)]
    if not states:
        return {"path": recorded(source)}
    seconds, fraction = divmod(max(state.st_mtime_ns for state in states), 10**9)
    modified = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{fraction:09} UTC"
    several = {} if os.path.isfile(source) else {"files": len(states)}
    return {
        "path": os.path.abspath(source),
        "bytes": sum(state.st_size for state in states),
        "modified": modified,
    } | several


def _name(kind: str, rows: Rows) -> str:
    return f"{kind}-{rows[0]:012}"


def _entries(manifest: Path) -> Iterator[dict[str, Any]]:
    """Yield the manifest's lines that are whole."""
    for line in manifest.read_text(errors="replace").splitlines() if manifest.exists() else ():
        with suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                yield entry
