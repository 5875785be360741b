"""Fit a model on a table and save it under a name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa

from anomalo.encoding.target import label_of
from anomalo.errors import UsageError
from anomalo.jobs.comparing.profiles import profile_of_fit
from anomalo.jobs.context import EQUAL_ROWS, JobContext, Opened
from anomalo.jobs.fitting.lineage import data_of, lineage, metrics_of
from anomalo.jobs.series.changes import moves_of_fit, usual_blocks
from anomalo.jobs.series.stamps import stamps_of_fit
from anomalo.models.base import is_goal
from anomalo.models.capabilities import CanExtend
from anomalo.models.guarded import GuardedModel
from anomalo.persistence.resume import ResumableState, resumable_state
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import FitOutcome, Fitted
from anomalo.pipeline.out_of_core.large_table import LargeTable
from anomalo.pipeline.out_of_core.reading import table_or_large
from anomalo.pipeline.saved_model import load_fitted, save_fitted
from anomalo.tabular.column import IMAGE, modality_with
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.reading.modality import known_modality
from anomalo.tabular.schema import Schema, SchemaOptions, infer
from anomalo.version import __version__
from anomalo.workspace.workspace import ModelRecord

AUTO = "auto"
CLASSIFIER = "classifier"
"""The models that are fitted where none is named: without and with `supervised`."""


@dataclass(frozen=True)
class FitResult:
    """The saved model, and what was read and computed for it, for further jobs on the same rows.

    Attributes
    ----------
    record : ModelRecord
        The saved model.
    warnings : tuple of str
        Plain sentences.
    table : ParsedTable [n]
        The rows.
    outcome : FitOutcome
        The model, the encoded rows and, if it is calibrated, their scores.
    whole : bool
        Whether they are all rows of the table, not a sample of one that does not fit into memory.
    """

    record: ModelRecord
    warnings: tuple[str, ...]
    table: ParsedTable
    outcome: FitOutcome
    whole: bool = True

    @property
    def fitted(self) -> Fitted:
        """The fitted model."""
        return self.outcome.fitted

    def opened(self) -> Opened:
        """Return the saved model, with all rows if in memory; not for a supervised fit, which leaves some out."""
        found = self.outcome
        if not self.whole:
            return Opened(self.record, found.fitted)
        return Opened(self.record, found.fitted, self.table.table, found.data, found.scores)


def fit(
    context: JobContext,
    source: str,
    name: str,
    config: FitConfig,
    options: SchemaOptions,
    *,
    initial: str | None = None,
    supervised: bool = False,
    resume: bool = False,
    require: Callable[[GuardedModel], None] = lambda model: None,
    first: frozenset[str] = frozenset(),
) -> FitResult:
    """Read `source`, fit `config` on it and save the result as the next version of `name`.

    While it runs, its state is kept in the workspace; a fit that was killed continues from it with `resume`, and
    ends with the same weights, to the bit (on a CPU, with the same number of threads).

    Parameters
    ----------
    initial : str, optional
        The saved model to start from: `ID`, `ID@3` or `ID@tag`. Its columns, levels and scales are kept.
    supervised : bool
        Whether to learn the label; rows without one are left out.
    require : callable, optional
        Raises UsageError for a model that is not to be fitted.
    first : set of str
        Goals for which a model that can be extended is fitted alone; `extend` fits it for those of `config`.

    Raises
    ------
    SourceError
        The table cannot be read or holds nothing to learn from.
    UsageError
        The model, a parameter, a column or the device is unknown; or the fit is running already, or one of other facts.
    SchemaError
        A column does not hold the kind that was asked for.
    OutputError
        The workspace cannot be written.
    TrainingError
        Training diverged.
    """
    _check_early(context, source, name, config, options, require)
    reference, base = (None, None) if initial is None else _initial(context, initial, options)
    with _read(context, source, name, config, options, require, resume) as (keep, read, data):
        large = read if isinstance(read, LargeTable) else None
        table, schema = _understood(read, options)
        require(model := config.create(context.registry, schema.modality))
        config = dataclasses.replace(config, goals=first or config.goals) if model.can(CanExtend) else config
        keep.agree(**_task(model, config, schema), initial=reference, supervised=supervised)
        context.store.sweep_models(name)
        config = dataclasses.replace(config, progress=context.progress, keep=keep)
        target = label_of(table, schema) if supervised else None
        outcome = Fitted.fit(table, schema, config, context.registry, base=base, target=target, large=large)
        if reference is not None:
            outcome.fitted.facts["initial"]["reference"] = reference
        warnings = (*_warnings(outcome.fitted, table), *_nothing_to_resume(resume, keep))
        origin = lineage(outcome, None if supervised or large is not None else table, config, options, data)
        record = _save(context, source, name, outcome.fitted, table, warnings, origin, keep)
        return FitResult(record, warnings, table, outcome, whole=large is None)


@contextmanager
def _read(
    context: JobContext,
    source: str,
    name: str,
    config: FitConfig,
    options: SchemaOptions,
    require: Callable[[GuardedModel], None],
    resume: bool,
) -> Iterator[tuple[ResumableState, list[pa.RecordBatch] | LargeTable, dict[str, Any]]]:
    """Read the table of a fit, whose state is kept inside, and what identifies its bytes.

    What the rows of any source are say the first ones, so that the model is checked before the others are read.
    """
    batches, data = context.batches(source), data_of(source)
    first = next(batches)
    modality = modality_with(options.time, first.schema)
    _check_model(context, config, require, modality)
    batches = chain([first], batches)
    context.store.prepare()
    folder, task = context.store.workspace / "unfinished" / f"fit-{name}", {"anomalo": __version__}
    with (
        resumable_state(folder, task, resume=resume) as keep,
        table_or_large(batches, folder, config, context.registry, modality) as read,
    ):
        yield keep, read, data


def _understood(read: list[pa.RecordBatch] | LargeTable, options: SchemaOptions) -> tuple[ParsedTable, Schema]:
    """Return what is in memory of a table, and the schema of the whole."""
    if isinstance(read, LargeTable) and options.time is not None:
        raise UsageError("a series is learned from all its points, which do not fit into --max-memory; give more")
    table = ParsedTable(read.sample if isinstance(read, LargeTable) else pa.Table.from_batches(read))
    schema = infer(table, options)
    return table, dataclasses.replace(schema, rows=read.rows) if isinstance(read, LargeTable) else schema


def extend(context: JobContext, result: FitResult, config: FitConfig) -> FitResult:
    """Fit a model that was fitted for some goals first for those of `config` too, and save it as the same version.

    A model that cannot be extended is returned as it is: it was fitted for all.

    Raises
    ------
    OutputError
        The workspace cannot be written.
    """
    fitted = result.fitted
    if not fitted.guarded.can(CanExtend):
        return result
    before = fitted.warnings
    fitted.extend(result.outcome.data, dataclasses.replace(config, progress=context.progress), context.registry)
    others = [text for text in result.warnings if text not in before]
    warnings = (*fitted.warnings, *others)
    write, seconds, summary = (
        partial(save_fitted, fitted),
        fitted.facts["seconds"],
        summary_of(fitted, warnings) | context.read_facts,
    )
    origin = result.record.summary["lineage"]
    summary["lineage"] = origin | {"metrics": origin["metrics"] | metrics_of(fitted)}
    record = context.store.extend_model(result.record, write, seconds=seconds, summary=summary)
    return dataclasses.replace(result, record=record, warnings=warnings)


def _check_early(
    context: JobContext,
    source: str,
    name: str,
    config: FitConfig,
    options: SchemaOptions,
    require: Callable[[GuardedModel], None],
) -> None:
    """Check what can be before a long table is opened."""
    context.check_device(config.device)
    context.store.check_name(name)
    _check_model(context, config, require, known_modality(source, context.reading, options.time))


def _check_model(
    context: JobContext, config: FitConfig, require: Callable[[GuardedModel], None], modality: str | None
) -> None:
    """Check the model, if it is known which one its name stands for."""
    model = config.early(context.registry, modality)
    if model is None:
        return
    kind = type(model.model)
    if kind not in context.registry.models.get(model.name, ()):
        raise UsageError(
            f"model {model.name!r} is an instance of {kind.__qualname__}, which no plugin gives: expected a "
            "registered model, since a saved one is found by its name; return the class from the hook anomalo_models"
        )
    require(model)


def choice(
    context: JobContext, model: str, initial: str | None = None, supervised: bool = False
) -> tuple[str, dict[str, Any]]:
    """Return the model to fit and the defaults of its parameters, where they are others than its own.

    The default, `auto`, is replaced by the classifier if the fit is supervised, and by the kind of the model to start
    from. If both are of the same kind, the parameters of the latter are the defaults.

    Parameters
    ----------
    model : str
        A name.
    initial, supervised
        As for `fit`.
    """
    if model == AUTO and supervised:
        model = CLASSIFIER
    if initial is None:
        return model, {}
    before = context.store.model(initial)
    model = before.model if model == AUTO else model
    return model, before.summary["parameters"] if model == before.model else {}


def _initial(context: JobContext, reference: str, options: SchemaOptions) -> tuple[str, Fitted]:
    record = context.store.model(reference)
    base = load_fitted(record.path, context.registry, "cpu")
    read = {column.name for column in base.schema.features}
    for name in (*options.drop, *options.kinds):
        if name in read:
            raise UsageError(
                f"column {name!r}: a fit that starts from {record.reference} reads its columns in the same way; "
                "leave out --drop and --kind for it, or pretrain again with them"
            )
    return record.reference, base


def _task(model: GuardedModel, config: FitConfig, schema: Schema) -> dict[str, Any]:
    """Return what must be equal for a fit to be resumed; the table's content is compared once it is encoded."""
    return {
        "model": model.name,
        "parameters": model.model.params(),
        "seed": config.seed,
        "calibrate": config.calibrate,
        "goals": sorted(config.goals),
        "constraints": list(config.constraints),
        "columns": {column.name: column.to_json() for column in schema.columns},
    }


def _save(
    context: JobContext,
    source: str,
    name: str,
    fitted: Fitted,
    table: ParsedTable,
    warnings: tuple[str, ...],
    origin: dict[str, Any],
    job: ResumableState,
) -> ModelRecord:
    """Save a fitted model as the next version of `name`, in one step with its job's end."""
    fitted.profile, fitted.usual = profile_of_fit(table, fitted.schema), usual_blocks(table, fitted)
    return context.store.add_model(
        name,
        partial(save_fitted, fitted),
        model=fitted.facts["model"],
        plugin=fitted.facts["plugin"],
        source=source,
        rows=fitted.facts["rows"],
        columns=len(fitted.schema.features),
        seconds=fitted.facts["seconds"],
        summary=summary_of(fitted, warnings) | context.read_facts | context.facts() | {"lineage": origin},
        job=job,
    )


def _nothing_to_resume(resume: bool, keep: ResumableState) -> list[str]:
    return ["nothing to resume: the fit started from the beginning"] if resume and not keep.resumed else []


def _warnings(fitted: Fitted, table: ParsedTable) -> tuple[str, ...]:
    """Return the model's warnings, those on times, and that all rows are equal where scores should be calibrated."""
    asked = "score" in fitted.guarded.verbs and is_goal(frozenset(fitted.facts["goals"]), "score")
    equal = len(fitted.calibration.hashes) <= 1 and asked and fitted.facts["calibrated"]
    of_time = (*stamps_of_fit(table, fitted), *moves_of_fit(table, fitted))
    return (*fitted.warnings, *of_time, *([EQUAL_ROWS] if equal else []))


def summary_of(fitted: Fitted, warnings: tuple[str, ...]) -> dict[str, Any]:
    """Return what lists and pages show of a model, so that they need not read its artefact."""
    skill = math.nan if fitted.hidden is None else fitted.hidden.skill()
    columns = fitted.schema.columns
    return {
        "verbs": list(fitted.guarded.verbs),
        "goals": fitted.facts["goals"],
        "parameters": fitted.facts["parameters"],
        "seed": fitted.facts["seed"],
        **{key: fitted.facts[key] for key in ("initial", "classes") if key in fitted.facts},
        "score_unit": fitted.model.score_unit,
        "label": next((column.name for column in columns if column.role == "label"), None),
        "kinds": {column.name: column.kind for column in columns},
        "units": {column.name: list(column.unit) for column in columns if any(column.unit)},
        "levels": _levels(fitted),
        **({"image": list(fitted.encoder.layout.shape)} if fitted.schema.modality == IMAGE else {}),
        "skill": skill if math.isfinite(skill) else None,
        "errors": fitted.errors(),
        "warnings": list(warnings),
    }


def _levels(fitted: Fitted) -> dict[str, list[str]]:
    """Return the levels of each category that synthetic rows can be given; nothing if the model makes none."""
    if "sample" not in fitted.guarded.verbs or not is_goal(frozenset(fitted.facts["goals"]), "sample"):
        return {}
    if fitted.encoder.layout.window:  # windows are drawn whole
        return {}
    return {block.name: list(block.levels) for block in fitted.encoder.layout.blocks if block.kind == "category"}
