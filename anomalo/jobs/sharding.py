"""The results of a long job, kept batch by batch as shards, so that a killed job can be resumed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.errors import SchemaError
from anomalo.jobs.context import Counts, JobContext
from anomalo.jobs.engines.local import ahead
from anomalo.persistence.atomic import append_line
from anomalo.persistence.checksums import array_digest, digest
from anomalo.persistence.resume import Arrays, ResumableState, resumable_state
from anomalo.pipeline.fitted import Fitted
from anomalo.version import __version__
from anomalo.workspace.workspace import ModelRecord, RunRecord

MANIFEST = "manifest.jsonl"

Rows = NDArray[np.int64]
Found = tuple[Arrays, Counts]


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
    arrays, counts
        Their results.
    """

    rows: Rows
    batch: pa.RecordBatch
    arrays: Arrays
    counts: Counts


@dataclass(frozen=True)
class Work:
    """A resumable job on one table with one model.

    Attributes
    ----------
    context, source, fitted
        The job's context, its table and its model.
    job : ResumableState
        The state that is kept until the job is done.
    shards : Shards
        The finished results, batch by batch.
    warnings : tuple of str
        A sentence if there was nothing to resume.
    """

    context: JobContext
    source: str
    fitted: Fitted
    job: ResumableState
    shards: Shards
    warnings: tuple[str, ...]

    @property
    def owner(self) -> str:
        """The owner of temporary files, for `atomic_file`."""
        return self.job.folder.name

    def like(self) -> pa.Schema:
        """Return the Arrow schema of the source's batches."""
        return next(iter(self.context.registry.read(self.source))).schema

    def identifiers(self, batch: pa.RecordBatch) -> pa.Array | None:
        """Return the cells of the column that names the rows; None if there is none."""
        name = self.fitted.schema.id
        if name not in batch.schema.names:
            return None
        cells = batch.column(name)
        return pc.cast(cells, cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells

    def parts(
        self,
        kind: str,
        find: Callable[[Encoded], Found],
        pick: Callable[[Rows], Iterable[Rows]] = lambda rows: [rows],
    ) -> Iterator[Part]:
        """Read the source, and yield its parts in order; their results are loaded if kept, else computed and kept.

        Parameters
        ----------
        kind : str
            Which results they are.
        find : callable
            Computes a part's results.
        pick : callable
            Takes a batch's row numbers, and returns those of its parts, none of them empty. A batch is encoded only if
            the results of one of them are not kept.
        """
        for part, data in ahead(self._read(kind, pick)):
            if data is None:
                yield part
            else:
                found = find(data)
                self.shards.save(kind, part.rows, *found)
                yield Part(part.rows, part.batch, *found)

    def _read(self, kind: str, pick: Callable[[Rows], Iterable[Rows]]) -> Iterator[tuple[Part, Encoded | None]]:
        """Yield each part, with its encoded rows if its results are not kept."""
        first = 0
        for batch in self.context.read(self.source):
            self.fitted.schema.check(batch.schema.names)
            numbers, data = np.arange(first, first + batch.num_rows), None
            for rows in pick(numbers) if len(numbers) else ():
                whole = len(rows) == batch.num_rows
                raw = batch if whole else batch.take(pa.array(rows - first))
                kept = self.shards.load(kind, rows)
                if kept is not None:
                    yield Part(rows, raw, *kept), None
                else:
                    data = self.fitted.encoder.encode(batch, first) if data is None else data
                    yield Part(rows, raw, {}, {}), data if whole else data.take(rows - first)
            first += batch.num_rows


def chosen(rows: Rows, most: int) -> Callable[[Rows], list[Rows]]:
    """Return what picks of each batch the rows of a choice, at most so many in a part.

    Examples
    --------
    >>> pick = chosen(np.array([1, 4, 5, 6, 9]), most=2)
    >>> [part.tolist() for part in pick(np.arange(3, 8))]
    [[4, 5], [6]]
    """

    def pick(batch: Rows) -> list[Rows]:
        here = rows[np.searchsorted(rows, batch[0]) : np.searchsorted(rows, batch[-1], side="right")]
        return [here[start : start + most] for start in range(0, len(here), most)]

    return pick


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
    reference: str,
    create: Callable[[Work], Job[Result]],
    *,
    output: Path | None,
    device: str,
    resume: bool,
) -> Result:
    """Run a job with a saved model, and store it as a run; a killed one continues with `resume`.

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
    record, fitted = context.load(reference, verb, device)
    with resumable(context, verb, source, record, fitted, device=device, resume=resume) as work:
        job = create(work)
        run = context.store.add_run(verb, job.write, model=record, source=source, job=work.job)
    context.registry.run_saved(context.store, run.id)
    return job.result(run)


@contextmanager
def resumable(
    context: JobContext, verb: str, source: str, model: ModelRecord, fitted: Fitted, *, device: str, resume: bool
) -> Iterator[Work]:
    """Run a job inside, whose state is kept in the workspace until it is done.

    Raises
    ------
    UsageError
        Another process runs this job, or the source, the model or the device has changed.
    OutputError
        The workspace cannot be written.
    """
    task = _task(verb, source, model, device)
    key = digest("\0".join((verb, model.reference, task["source"]["path"])).encode())[:12]
    with resumable_state(context.store.workspace / "unfinished" / f"{verb}-{key}", task, resume=resume) as job:
        shards = Shards(job)
        nothing = resume and not job.resumed
        warnings = (f"nothing to resume: `{verb}` started from the beginning",) if nothing else ()
        try:
            yield Work(context, source, fitted, job, shards, warnings)
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
