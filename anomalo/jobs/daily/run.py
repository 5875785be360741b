"""Run a daily job: score its table, write what its file asks for, and notify its routes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from anomalo.errors import GateError, RouteError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.daily.deliveries import FAILED, deliveries
from anomalo.jobs.daily.job_file import DailyJob, FirstFit, schema_options
from anomalo.jobs.daily.metrics import write_metrics
from anomalo.jobs.daily.routes import require_variables
from anomalo.jobs.fitting.fit import choice, fit
from anomalo.jobs.keeping.thresholds import used_threshold
from anomalo.jobs.repeating import former_run
from anomalo.jobs.scoring.events import events
from anomalo.jobs.scoring.score import ScoreResult, score
from anomalo.persistence.atomic import require_writable
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.quantities import count
from anomalo.workspace.records import ModelRecord, RunRecord

ROUTES = "routes"
"""The plugin that notifies."""


@dataclass(frozen=True)
class DailyResult:
    """The result of a daily job.

    Attributes
    ----------
    job : DailyJob
        The job.
    run : RunRecord
        Its run.
    scored : ScoreResult or None
        What was scored; None if the same was done before.
    routes : list of dict
        What became of each route, as `deliveries` returns it.
    fitted : ModelRecord or None
        The first model, if it was fitted.
    """

    job: DailyJob
    run: RunRecord
    scored: ScoreResult | None
    routes: list[dict[str, Any]]
    fitted: ModelRecord | None = None

    def require(self) -> None:
        """Raise what the command ends with, once all is written and everybody who can be is notified.

        Raises
        ------
        RouteError
            A route failed.
        GateError
            A gate is hit.
        """
        failed = [f"{entry['route']}: {entry['error']}" for entry in self.routes if entry["status"] == FAILED]
        if failed:
            raise RouteError(
                f"run {self.run.id} is stored, but {count(len(failed), 'route')} of {len(self.routes)} failed "
                f"({'; '.join(failed)}); run the same command again to notify, without scoring again"
            )
        facts, gates = self.run.summary, self.job.gates
        where = self.job.output or self.run.path / "scores.parquet"
        number, said = events(facts)
        if gates.fail_over is not None and number > gates.fail_over:
            raise GateError(f"{said}, more than fail_over = {gates.fail_over}; the scores are in {where}")
        if gates.fail_on_drift and (facts.get("drift") or {}).get("differs"):
            raise GateError(f"the table differs from the training table (fail_on_drift); the scores are in {where}")


def run(context: JobContext, job: DailyJob, *, force: bool = False, resume: bool = False) -> DailyResult:
    """Run a daily job; where the same was done before, only routes that failed then are notified.

    Raises
    ------
    UsageError
        There is no such model and no `[fit]`, or a variable that a route names is not set.
    SourceError, SchemaError, OutputError, EngineError
        As `score` and `fit`.
    """
    check(context, job)
    fitted = _first_fit(context, job)
    context.notes = {"job": job.note()}
    limit = used_threshold(context.store, job.model, job.threshold)
    asked = {
        "threshold": limit.threshold,
        "explain": job.explain,
        "safe_csv": job.safe_csv,
        "device": job.compute.device,
    }
    former = former_run(
        context,
        "score",
        asked | context.notes,
        [job.source],
        models=[job.model],
        outputs=[job.output],
        force=force,
    )
    context.notes |= limit.note
    scored = None if former else _score(context, job, asked, resume)
    record = former or (scored.run if scored else None)
    assert record is not None
    if former is not None and any(entry["status"] == FAILED for entry in deliveries(former)):
        context.registry.run_saved(context.store, former.id, plugin=ROUTES)
    routes = deliveries(record)
    if job.metrics is not None:
        write_metrics(job.metrics, record, job.name, sum(entry["status"] == FAILED for entry in routes))
    return DailyResult(job, record, scored, routes, fitted)


def check(context: JobContext, job: DailyJob) -> None:
    """Check what can be before the table is read.

    Raises
    ------
    UsageError
        A variable that a route names is not set, the output's suffix is not known, or there is no such model.
    OutputError
        An output cannot be written.
    """
    require_variables(job.routes, os.environ)
    context.check_output(job.output, job.source)
    if job.metrics is not None:
        require_writable(job.metrics)
    if job.first is None or not _is_first(context, job):
        context.store.model(job.model)
    else:
        name, _, which = job.model.partition("@")
        if which.isdecimal() and int(which) != 1:
            raise UsageError(f"no saved model is named {name!r}, and [fit] makes its version 1, not {which}")
        schema_options(job.first)


def _score(context: JobContext, job: DailyJob, asked: dict[str, Any], resume: bool) -> ScoreResult:
    return score(context, job.source, job.model, output=job.output, resume=resume, **asked)


def _is_first(context: JobContext, job: DailyJob) -> bool:
    return not context.store.models(job.model.partition("@")[0])


def _first_fit(context: JobContext, job: DailyJob) -> ModelRecord | None:
    """Fit the model if there is none of its name yet, and the file says how; it gets the tag that the job names."""
    first = job.first
    if first is None or not _is_first(context, job):
        return None
    name, _, which = job.model.partition("@")
    record = fit(context, first.source, name, _config(context, first, job), schema_options(first)).record
    if which and not which.isdecimal():
        context.store.tag(record.reference, which)
    return record


def _config(context: JobContext, first: FirstFit, job: DailyJob) -> FitConfig:
    model, params = choice(context, first.model)
    settings = {key: str(value) for key, value in first.set.items()}
    return FitConfig(model, params, first.seed, job.compute.device, settings=settings)
