"""What every job works with: the registry, the workspace, and a callback for its progress."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.encoding.layout import Block, Layout
from anomalo.errors import OutputError, SchemaError, SourceError, UsageError
from anomalo.jobs.engines.ahead import ahead
from anomalo.jobs.identity import JobIdentity
from anomalo.models.run import Progress
from anomalo.persistence.atomic import require_writable
from anomalo.pipeline.cell_tables import absent
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.saved_model import load_fitted
from anomalo.registry.engine import EngineChoice
from anomalo.registry.registry import Registry
from anomalo.tabular.column import require_table
from anomalo.tabular.parsing import a_kind, mostly_unreadable
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.folder.listing import local_files
from anomalo.tabular.writing.destination import Address, Delivery, Destination, Output, Sink, WritesOnce
from anomalo.tabular.writing.writer import TableWriter, check_suffix
from anomalo.workspace.workspace import ModelRecord, Workspace

EQUAL_ROWS = "all training rows are equal, so no row can be called anomalous: every p-value is 1"
PRETRAINED = "the model was only pretrained, so every p-value is 1; fit one that starts from it (anomalo fit --from)"


@dataclass(frozen=True)
class Opened:
    """A saved model in memory and, where they are at hand, the rows of the job's table, so that nothing is done twice.

    Attributes
    ----------
    record : ModelRecord
        The saved model.
    fitted : Fitted
        The same model, loaded or just fitted.
    table : Table [n] or None
        The rows; None if they have to be read.
    data : Encoded [n] or None
        The same rows encoded, if there is a table.
    scores : float64 [n] or None
        The model's scores of them, if they are known.
    """

    record: ModelRecord
    fitted: Fitted
    table: pa.Table | None = None
    data: Encoded | None = None
    scores: Scores | None = None


@dataclass
class JobContext:
    """The registry, the workspace and the progress callback of a job.

    Parameters
    ----------
    registry : Registry
        The plugins.
    store : Workspace
        The workspace.
    progress : callable, optional
        Called with the share that is done, from 0 to 1, and a text.
    batch_rows : int, optional
        The most rows of a batch; by default as many as the source yields at a time.
    reading : ReadOptions
        What the user decided about reading the sources.
    strict : bool
        Whether one cell that is not of its column's kind stops a job with a saved model; else it is unreadable.
    engine : EngineChoice
        Where the parts of a job with a saved model are computed; by default in this process.
    identity : JobIdentity, optional
        What makes another job the same; it is kept with the results.
    notes : dict
        Further entries of the summary of a run.
    """

    registry: Registry
    store: Workspace
    progress: Progress | None = None
    batch_rows: int | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    strict: bool = False
    engine: EngineChoice = field(default_factory=EngineChoice)
    identity: JobIdentity | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def at(
        cls,
        workspace: Path,
        progress: Progress | None = None,
        batch_rows: int | None = None,
        reading: ReadOptions | None = None,
        strict: bool = False,
        engine: EngineChoice | None = None,
    ) -> JobContext:
        """Return the context of a workspace folder, with the installed plugins."""
        store, reading, engine = Workspace(workspace), reading or ReadOptions(), engine or EngineChoice()
        return cls(Registry.load(), store, progress, batch_rows, reading, strict, engine)

    @property
    def read_facts(self) -> dict[str, Any]:
        """How the user said that the source is read, for the summary of a run or model; empty if nothing was said."""
        said = self.reading.to_json()
        return {"reading": said} if said else {}

    def facts(self) -> dict[str, Any]:
        """Return what the summary of a run or model says of its job, once all is written."""
        return self.notes | ({} if self.identity is None else self.identity.facts())

    def read(self, source: str | pa.Table) -> Iterator[pa.RecordBatch]:
        """Read a source, or a table that was read from one, batch by batch."""
        for batch in self.registry.read(source, self.reading) if isinstance(source, str) else source.to_batches():
            rows = self.batch_rows or max(batch.num_rows, 1)
            for start in range(0, max(batch.num_rows, 1), rows):
                yield batch.slice(start, rows)

    def table(self, source: str) -> pa.Table:
        """Read a whole table; raises as `batches` and `require_table` do."""
        return require_table(source, pa.Table.from_batches(list(self.batches(source))))

    def batches(self, source: str) -> Iterator[pa.RecordBatch]:
        """Open a source, and return its batches.

        Raises
        ------
        SourceError
            It cannot be read, or has no rows.
        """
        batches = self.registry.read(source, self.reading)
        first = next(batches, None)
        if first is None:
            raise SourceError(f"{source} has no rows; give a table with at least one")
        return chain([first], batches)

    @staticmethod
    def check_device(device: str) -> None:
        """Check the name of a device; whether the device exists is checked when a model uses it.

        Raises
        ------
        UsageError
            The name is not one of auto, cpu, cuda, cuda:N and mps.
        """
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?|mps", device):
            raise UsageError(f"device {device!r}: expected auto, cpu, cuda, cuda:N or mps")

    def check_output(self, output: Output | None, source: str, delivery: Delivery | None = None) -> None:
        """Check that an output can be written, before a long job begins.

        Parameters
        ----------
        delivery : Delivery, optional
            The job that writes it.

        Raises
        ------
        UsageError
            The suffix is not known, or the output is the file that is read.
        OutputError
            The folder is absent or not writable, `output` is a folder or a device, or what it names exists already.
        """
        if output is None:
            return
        if isinstance(output, Address):
            self._destination(output, delivery).check()
            return
        check_suffix(output)
        if output.exists() and any(output.samefile(file) for file in local_files(source) if file.exists()):
            raise UsageError(f"{output} is the table that is read; give another name for the result")
        require_writable(output)

    def delivered(self, output: Output | None, delivery: Delivery) -> None:
        """Let an output forget the job that has written it, once that is recorded: it could only do so twice."""
        if isinstance(output, Address):
            destination = self._destination(output, delivery)
            if isinstance(destination, WritesOnce):
                with suppress(OutputError):
                    destination.forget()

    def _destination(self, output: Address, delivery: Delivery | None) -> Destination:
        found = self.registry.destination(output.text)
        return found.once(delivery) if delivery is not None and isinstance(found, WritesOnce) else found

    def writer(
        self,
        output: Output,
        like: pa.Schema | None = None,
        delivery: Delivery | None = None,
        *,
        safe_csv: bool = False,
    ) -> AbstractContextManager[Sink]:
        """Return what writes a table to an output, which appears whole at the end of its block or not at all.

        Parameters
        ----------
        like : Schema, optional
            See `TableWriter`.
        delivery : Delivery, optional
            The job that writes it.
        safe_csv : bool
            See `TableWriter`.

        Raises
        ------
        UsageError
            The suffix is not known, or no plugin writes there.
        OutputError
            It cannot be written.
        """
        if isinstance(output, Address):
            return self._destination(output, delivery).writer(like)
        return TableWriter(output, like, None if delivery is None else delivery.owner, safe_csv=safe_csv)

    def load(self, reference: str, verb: str, device: str) -> tuple[ModelRecord, Fitted]:
        """Load the saved model that `ID`, `ID@3` or `ID@tag` names, for a verb.

        Raises
        ------
        UsageError
            There is no such model or device, or the model does not have the verb.
        ArtefactError
            The model is damaged.
        """
        self.check_device(device)
        record = self.store.model(reference)
        fitted = load_fitted(record.path, self.registry, device)
        fitted.require(verb)
        return record, fitted

    def report_rows(self, rows: int, what: str = "rows") -> None:
        """Report how many rows are done, where their total number is unknown."""
        if self.progress is not None:
            self.progress(0.0, f"{rows:,} {what}")

    def encoded(self, source: str, fitted: Fitted) -> Iterator[tuple[pa.RecordBatch, Encoded]]:
        """Read and encode a source batch by batch, one batch ahead of the caller."""
        return ahead(self._encoded(source, fitted))

    def _encoded(self, source: str, fitted: Fitted) -> Iterator[tuple[pa.RecordBatch, Encoded]]:
        first = 0
        for batch in self.read(source):
            yield batch, fitted.encode(batch, first, strict=self.strict)
            first += batch.num_rows


THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Limit the numerical libraries to `threads` threads inside, and restore the old limits at the end."""
    if threads is None:
        yield
        return
    before = {name: os.environ.get(name) for name in THREADS}, pa.cpu_count()
    # Libraries that are loaded inside, such as torch, read the environment.
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    pa.set_cpu_count(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        _restore(*before)


def _restore(environment: dict[str, str | None], cpus: int) -> None:
    pa.set_cpu_count(cpus)
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


Counts = dict[str, dict[str, int]]
"""How many cells of each column are "unseen" levels, "unreadable", "missing" or "outside" the training range."""


def counts(data: Encoded) -> Counts:
    """Count a batch's cells that are missing or have no precedent in training, by column or channel that has some."""
    layout = data.layout
    low, high = (layout.spread(ends) for ends in np.array([_range(each) for each in layout.blocks], dtype=np.float32).T)
    found = {"outside": _by_block(layout, data.observed & ((data.values < low) | (data.values > high)))}
    new = {} if data.positions is None else data.positions.new_series
    if data.observed.all():
        return {"unseen": new, "unreadable": {}, "missing": {}} | found
    missing, unreadable = absent(data), data.unreadable()
    hidden = layout.spread([block.label for block in layout.blocks])
    masks = {"unseen": ~data.observed & ~missing & ~hidden & ~unreadable, "unreadable": unreadable, "missing": missing}
    by_sort = {sort: _by_block(layout, mask) for sort, mask in masks.items()} | found
    return by_sort | {"unseen": by_sort["unseen"] | new}


def _range(block: Block) -> tuple[float, float]:
    """Return the values of a block that have a precedent in training, encoded."""
    if block.kind != "number":
        return -np.inf, np.inf
    return block.low, np.inf if block.moment else block.high


def _by_block(layout: Layout, mask: Mask) -> dict[str, int]:
    """Return how many cells of each block lie under a mask [n, *shape]; blocks without any are left out."""
    if not mask.any():
        return {}
    of_cell = mask.reshape(len(mask), len(layout.block_of_cell)).sum(axis=0)
    of_block = [
        (block.name, int(of_cell[cells].sum()))
        for block, cells in zip(layout.blocks, layout.cells_of_block, strict=True)
    ]
    return {name: count for name, count in of_block if count}


@dataclass
class DataQualityMonitor:
    """Finds, batch by batch, where a table's cells differ from those of the training table.

    Attributes
    ----------
    rows : int
        Rows seen so far.
    unseen, unreadable, missing, outside : Counter
        Cells of each sort by column, so far.
    """

    fitted: Fitted
    rows: int = 0
    unseen: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def see(self, rows: int, counted: Counts) -> None:
        """Add a batch's counts."""
        self.rows += rows
        self.unseen.update(counted["unseen"])
        self.unreadable.update(counted["unreadable"])
        self.missing.update(counted["missing"])
        self.outside.update(counted["outside"])

    def require_readable(self) -> None:
        """Check, once all rows were seen, that no column is another one.

        Raises
        ------
        SchemaError
            Most cells of one cannot be read.
        """
        for name, count in self.unreadable.items():
            if mostly_unreadable(count, self.rows - self.missing[name]):
                raise SchemaError(
                    f"column {name!r}: {self._share(count)} cells cannot be read as "
                    f"{a_kind(self.fitted.schema.column(name).kind)}; is it the same column? Correct it, or fit again"
                )

    def warnings(self) -> list[str]:
        """Return one sentence for each column that differs."""
        blocks = {block.name: block for block in self.fitted.encoder.layout.blocks}
        found = [
            f"column {name!r}: {self._share(count)} cells hold a level that is not in the training data"
            for name, count in self.unseen.items()
        ]
        kinds = {column.name: column.kind for column in self.fitted.schema.features}
        found += [
            f"column {name!r}: {self._share(count)} cells cannot be read as {a_kind(kinds[name])}; they stay as they "
            f"are, and count as anomalous (where one stands for a missing cell: fit with --missing '{name}=…')"
            for name, count in self.unreadable.items()
        ]
        for name, count in self.missing.items():
            if count == self.rows and blocks[name].missing < 1:
                found.append(f"column {name!r} is empty here, but was not in the training data")
            elif blocks[name].missing == 0:
                found.append(f"column {name!r}: {self._share(count)} cells are missing, but none in the training data")
        found += [
            f"column {name!r}: {self._share(count)} values lie outside the training range; is it the same column?"
            for name, count in self.outside.items()
            if count > self.rows / 4
        ]
        return found

    def _share(self, count: int) -> str:
        return f"{count:,} of {self.rows:,}"
