"""Say before any work what a fit, or scoring with a saved model, is going to take; nothing is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from anomalo.errors import UsageError, without_passwords
from anomalo.jobs.context import JobContext
from anomalo.models.guarded import GuardedModel
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.out_of_core.reading import sampled_rows
from anomalo.pipeline.planning.fits import Rows, fit_estimate
from anomalo.pipeline.planning.measuring import seconds_of
from anomalo.pipeline.planning.pilot import Prepared
from anomalo.pipeline.planning.uses import estimates
from anomalo.pipeline.saved_model import load_fitted
from anomalo.tabular.column import modality_with
from anomalo.tabular.reading.modality import known_modality
from anomalo.tabular.reading.size import SourceSize, size_of
from anomalo.tabular.schema import SchemaOptions

SEEN = 200_000
"""Rows that are read to measure how long reading takes, at most, where the number of rows is known without."""
START_MOST = 8.0
"""Seconds that the start of a process takes, at most: this one may have run long before."""


@dataclass(frozen=True)
class VerbPlan:
    """What one verb is going to take.

    Attributes
    ----------
    text : str
        What is done, in a sentence without a full stop; empty if the verb says it all.
    seconds : float
        Of one processor; of the clock where a GPU is used.
    at_most : bool
        Whether it may take less, since training may stop early.
    steps : dict of str to float
        The same seconds, step by step.
    memory_bytes : float
        The most that the process holds.
    memory : dict of str to float
        The same bytes, by what takes them.
    """

    text: str
    seconds: float
    at_most: bool
    steps: dict[str, float]
    memory_bytes: float
    memory: dict[str, float]


@dataclass(frozen=True)
class JobPlan:
    """What a job on a table is going to take.

    Attributes
    ----------
    source, model : str
        The table, and the model: its name, or the saved one.
    rows : int
        Of the table.
    rows_exact : bool
        Whether that is their number, rather than about it.
    rows_why : str
        Where it comes from.
    columns : int
        Of the table.
    bytes : int or None
        Of the local files; None if there are none.
    table_bytes : float
        About, of the table in memory as it was read.
    verbs : dict of str to VerbPlan
        What each verb takes: `fit`, or `score` and `impute`.
    efforts : dict of str to float
        Seconds of a fit at each effort, where the model has that parameter; else empty.
    batch_rows : int
        Rows that are read at a time.
    training_rows : int or None
        Rows that a network trains on at a time.
    sampled_rows : int or None
        Rows that a fit has in memory, of a table that does not fit into `--max-memory` and lies on disk.
    device, device_why : str
        Where it computes, and why there.
    """

    source: str
    model: str
    rows: int
    rows_exact: bool
    rows_why: str
    columns: int
    bytes: int | None
    table_bytes: float
    verbs: dict[str, VerbPlan]
    efforts: dict[str, float]
    batch_rows: int
    training_rows: int | None
    sampled_rows: int | None
    device: str
    device_why: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values; those of the first verb are also those of the whole."""
        first = next(iter(self.verbs.values()))
        return asdict(self) | {
            "seconds": first.seconds,
            "seconds_at_most": first.at_most,
            "memory_bytes": first.memory_bytes,
        }


@dataclass(frozen=True)
class _Source:
    """The first rows of a source, and what is known of all of them."""

    batch: pa.RecordBatch
    rows: int
    exact: bool
    why: str
    bytes: int | None
    reading: float
    """Seconds of reading all of them."""

    @property
    def row_bytes(self) -> float:
        return float(self.batch.nbytes / max(self.batch.num_rows, 1))

    def facts(self, source: str) -> dict[str, Any]:
        return {
            "source": without_passwords(source),
            "rows": self.rows,
            "rows_exact": self.exact,
            "rows_why": self.why,
            "columns": self.batch.num_columns,
            "bytes": self.bytes,
            "table_bytes": self.row_bytes * self.rows,
            "batch_rows": self.batch.num_rows,
        }


def plan_fit(context: JobContext, source: str, config: FitConfig, options: SchemaOptions) -> JobPlan:
    """Return what a fit on a table is going to take.

    The first rows are read, and all where nothing else says how many there are. A model that does not say how long it
    learns is fitted on the first rows.

    Raises
    ------
    SourceError
        The table cannot be read or holds nothing to learn from.
    UsageError
        The model, a parameter, a column or the device does not exist, or the memory is too little.
    SchemaError
        A column does not hold the kind that was asked for.
    """
    context.check_device(config.device)
    config.early(context.registry, known_modality(source, context.reading, options.time))
    start = min(time.process_time(), START_MOST)
    read = _opened(context, source)
    modality, columns = modality_with(options.time, read.batch.schema), read.batch.num_columns
    sampled = sampled_rows(config, context.registry, modality, columns, read.rows, read.row_bytes)
    rows = Rows(read.rows, sampled, read.row_bytes)
    prepared = Prepared.of(pa.Table.from_batches([read.batch]), options, config, context.registry)
    model = config.create(context.registry, prepared.schema.modality)
    device, why = _device(config.device, computes=bool(model.model.params().get("epochs") is not None))
    found = fit_estimate(rows, prepared, config, context.registry, device)
    before = {"start": start, "read": read.reading}
    plan = _verb(before | dict(found.seconds), found.memory, found.text, at_most=found.at_most)

    def at(effort: str) -> float:
        asked = replace(config, settings={**config.settings, "effort": effort})
        seconds = fit_estimate(rows, prepared, asked, context.registry, device).seconds
        return sum(before.values()) + sum(seconds.values())

    return JobPlan(
        **read.facts(source),
        model=model.name,
        verbs={"fit": plan},
        efforts={effort: at(effort) for effort in _efforts(model)},
        training_rows=found.batch,
        sampled_rows=rows.sampled,
        device=device,
        device_why=why,
    )


def plan_use(context: JobContext, source: str, reference: str, *, explain: int = 1000, device: str = "auto") -> JobPlan:
    """Return what scoring and imputing a table with a saved model are going to take, by trying both on its first rows.

    Parameters
    ----------
    explain : int
        The rows that are given reasons.

    Raises
    ------
    SourceError
        The table cannot be read.
    UsageError
        There is no such model or device, or the model neither scores nor imputes.
    SchemaError
        The table does not fit the model's schema.
    """
    context.check_device(device)
    record = context.store.model(reference)
    fitted = load_fitted(record.path, context.registry, device)
    start = min(time.process_time(), START_MOST)
    read = _opened(context, source)
    where, why = _device(device, computes=fitted.model.params().get("epochs") is not None)
    found = estimates(fitted, read.batch, read.rows, explain, where)
    if not found:
        raise UsageError(f"{record.reference}: model {fitted.model.name!r} neither scores nor imputes")
    verbs = {
        verb: _verb({"start": start, "read": read.reading, **one.seconds}, one.memory) for verb, one in found.items()
    }
    return JobPlan(
        **read.facts(source),
        model=record.reference,
        verbs=verbs,
        efforts={},
        training_rows=None,
        sampled_rows=None,
        device=where,
        device_why=why,
    )


def _efforts(model: GuardedModel) -> tuple[str, ...]:
    """Return the values of a model's parameter `effort`; none if it has no such parameter."""
    return next((tuple(one.choices or ()) for one in type(model.model).parameters() if one.name == "effort"), ())


def _verb(steps: Mapping[str, float], memory: Mapping[str, float], text: str = "", at_most: bool = False) -> VerbPlan:
    return VerbPlan(text, sum(steps.values()), at_most, dict(steps), sum(memory.values()), dict(memory))


def _opened(context: JobContext, source: str) -> _Source:
    """Read the first rows of a source, or all if nothing else says how many there are."""
    size = size_of(source) or SourceSize(0)
    known = size.rows
    batches, first, seen, whole = context.batches(source), list[pa.RecordBatch](), 0, False

    def read() -> None:
        nonlocal seen, whole
        whole = True
        for batch in batches:
            first.extend([batch] if not first or not first[0].num_rows else [])
            seen += batch.num_rows
            if known is not None and seen >= SEEN:
                whole = False
                break

    took = seconds_of(read)
    _close(batches)
    if whole:
        return _Source(first[-1], seen, True, "all were read", size.bytes or None, took)
    assert known is not None
    rows = max(known, seen)
    return _Source(first[-1], rows, size.exact, size.why, size.bytes, took * rows / seen)


def _close(batches: Iterator[pa.RecordBatch]) -> None:
    """End a reader that has more to give."""
    close = getattr(batches, "close", None)
    if close is not None:
        close()


def _device(asked: str, computes: bool) -> tuple[str, str]:
    """Return the device that a job computes on, and why."""
    if not computes:
        return "cpu", "the model computes there"
    if asked != "auto":
        return asked, "as asked"
    torch: Any = sys.modules.get("torch")  # which every model that could use a GPU has imported
    if torch is not None and torch.cuda.is_available():
        return "cuda", "a GPU is here"
    if torch is not None and torch.backends.mps.is_available():
        return "mps", "a GPU is here"
    return "cpu", "no GPU is here"
