"""Find the run or model of a job that was done before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anomalo.jobs.context import JobContext
from anomalo.jobs.identity import identify
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions
from anomalo.tabular.writing.destination import Output
from anomalo.workspace.workspace import ModelRecord, RunRecord


def former_run(
    context: JobContext,
    verb: str,
    options: Mapping[str, Any],
    sources: Sequence[str],
    *,
    models: Iterable[str | None] = (),
    outputs: Iterable[Output | None] = (),
    saves: str | None = None,
    force: bool = False,
) -> RunRecord | None:
    """Return the latest run of the same job, with all that it wrote; None if there is none, or with `force`.

    The context keeps the identity of the job, for the run that is stored if there is none.

    Parameters
    ----------
    options : mapping
        What the results depend on, besides how the source is read.
    sources : sequence of str
        The tables that are read.
    models : iterable of str or None
        The saved models that are used.
    outputs : iterable of Path, Address or None
        What is written besides the run.
    saves : str, optional
        The name that the run saves a model under: only the run of its latest version counts.

    Raises
    ------
    UsageError
        There is no such model.
    """
    options = {**options, "read": context.reading.to_json(), "strict": context.strict, "saves": saves}
    context.identity = identify(context.store, verb, options, sources, models=models, outputs=outputs)
    if force or _names_files(context):
        return None
    latest = [] if saves is None else [record.reference for record in _latest(context, saves)]
    runs = [run for run in context.store.runs() if run.verb == verb and (saves is None or run.model in latest)]
    return context.identity.former(runs)


FITTED_BY = ("model", "params", "settings", "seed", "device", "goals", "constraints", "max_memory", "logs")
"""What a model depends on of the configuration of its fit."""


def former_model(
    context: JobContext,
    verb: str,
    name: str,
    source: str,
    config: FitConfig,
    options: SchemaOptions,
    *,
    initial: str | None = None,
    supervised: bool = False,
    force: bool = False,
) -> ModelRecord | None:
    """Return the latest version of `name` if it was fitted by the same job; None if it was not, or with `force`.

    The parameters are those of `fit`.
    """
    facts = {key: getattr(config, key) for key in FITTED_BY} | {"supervised": supervised, "name": name}
    facts |= {"schema": options, "read": context.reading.to_json()}
    context.identity = identify(context.store, verb, facts, [source], models=[initial])
    return None if force or _names_files(context) else context.identity.former(_latest(context, name))


def _latest(context: JobContext, name: str) -> list[ModelRecord]:
    """Return the latest version of a name; none if it is retired: what was retired is to be made anew."""
    return [record for record in context.store.models(name)[-1:] if not record.retired]


def _names_files(context: JobContext) -> bool:
    """Whether the source names images or masks elsewhere, whose contents are not compared."""
    return context.reading.images is not None or context.reading.masks is not None
