"""What a fit is going to take: seconds, step by step, and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anomalo.calibration.cross_fitting import rows_with_hidden
from anomalo.encoding.encoded import Encoded
from anomalo.models.capabilities import CrossFits
from anomalo.models.folds import fold_count
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import Plan
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.out_of_core.memory import bytes_taken
from anomalo.pipeline.out_of_core.reading import held_rows
from anomalo.pipeline.planning.measuring import peak_memory
from anomalo.pipeline.planning.pilot import Learning, Pilot, Prepared
from anomalo.pipeline.training import is_calibrated, reports_its_errors
from anomalo.registry.registry import Registry


@dataclass(frozen=True)
class Rows:
    """The rows of a table, and where a fit has them.

    Attributes
    ----------
    count : int
        All of them.
    sampled : int or None
        Those of the sample, if the table does not fit into the memory that it may take.
    bytes : float
        Of a row, as it was read.
    """

    count: int
    sampled: int | None
    bytes: float


@dataclass(frozen=True)
class FitEstimate:
    """What a fit is going to take.

    Attributes
    ----------
    text : str
        What it does, in a sentence without a full stop.
    seconds : dict of str to float
        Of the processor, by step.
    at_most : bool
        Whether training may stop sooner.
    memory : dict of str to float
        Bytes, by what takes them.
    batch : int or None
        Rows that are trained on at a time; None if a model takes all of them.
    """

    text: str
    seconds: Mapping[str, float]
    at_most: bool
    memory: Mapping[str, float]
    batch: int | None


def fit_estimate(rows: Rows, prepared: Prepared, config: FitConfig, registry: Registry, device: str) -> FitEstimate:
    """Return what a fit is going to take; a model without a plan is fitted on the first rows to see."""
    model = config.create(registry, prepared.schema.modality)
    pilot = Pilot(config, registry, prepared, device)
    plan = model.plan(prepared.data.layout, rows.count, config.goals)
    table = prepared.fixed + prepared.per_row * rows.count
    known = 0 if plan is not None and plan.seconds else len(prepared.data)
    learning = pilot.learning() if plan is None or not plan.seconds else _said(plan, rows, device)
    if plan is not None and plan.seconds and model.can(CrossFits):
        steps = {"fit": plan.seconds}
    else:
        steps = _steps(model, learning, rows, prepared.data, config)
    process = max(peak_memory(), plan.memory if plan is not None else 0.0)
    beyond = max((rows.count if rows.sampled is None else rows.sampled) - known, 0)
    memory = {"process": process, "rows": beyond * rows.bytes * bytes_taken(model)}
    return FitEstimate(
        _text(model, plan, rows, config),
        {"encode": table, **steps},
        learning.at_most,
        _within(memory, config.max_memory),
        learning.batch,
    )


def _said(plan: Plan, rows: Rows, device: str) -> Learning:
    """Return how long a model learns by its plan, which is that of one fit on all rows."""
    return Learning(
        lambda count: plan.seconds * count / rows.count, plan.scoring / rows.count, 0.0, False, None, device
    )


def _text(model: GuardedModel, plan: Plan | None, rows: Rows, config: FitConfig) -> str:
    """Return what a fit does: by the model's plan, and where it does not cross-fit itself by how often it is fitted."""
    if plan is not None and model.can(CrossFits):
        return plan.text
    return _fits(model, rows, config) + ("" if plan is None else f"; {plan.text}")


def _fits(model: GuardedModel, rows: Rows, config: FitConfig) -> str:
    if rows.sampled is not None:
        what = f"all {rows.count:,} rows" if model.model.out_of_core else f"a sample of {rows.sampled:,} rows"
        return f"{model.name} fitted once on {what}; {held_rows(rows.sampled):,} of them are held out to calibrate it"
    if not is_calibrated(model, config) or model.can(CrossFits):
        return f"{model.name} fitted once on {rows.count:,} rows"
    folds = config.folds or fold_count(rows.count)
    return f"{model.name} fitted on {rows.count:,} rows, and {folds} times without a part of them to calibrate it"


def _within(memory: Mapping[str, float], most: int | None) -> dict[str, float]:
    """Return what is taken, the rows by no more than is left of the most memory."""
    if most is None:
        return dict(memory)
    return {**memory, "rows": min(memory["rows"], max(most - memory["process"], 0.0))}


def _steps(model: GuardedModel, learning: Learning, rows: Rows, data: Encoded, config: FitConfig) -> dict[str, float]:
    """Return the seconds of the fits of a model that the core cross-fits, and of what they calibrate."""
    calibrated = is_calibrated(model, config)
    held = 0 if rows.sampled is None else held_rows(rows.sampled)
    if rows.sampled is not None:
        learned = (rows.count if model.model.out_of_core else rows.sampled) - held
        fits, scored, folds = learning.fit(learned), 2 * held, 1
    elif calibrated and not model.can(CrossFits):
        folds = config.folds or fold_count(rows.count)
        fits = learning.fit(rows.count) + folds * learning.fit(rows.count * (folds - 1) // folds)
        scored = 2 * rows.count
    else:
        fits, scored, folds = learning.fit(rows.count), rows.count * calibrated, 0
    hidden = 0 if reports_its_errors(model, config.goals) or not calibrated else folds * rows_with_hidden(data.layout)
    calibrate = scored * learning.score * calibrated + hidden * learning.impute
    return {"fit": fits, "calibrate": calibrate} if calibrated else {"fit": fits}
