"""Fit a model on a table and save it under a name."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from anomalo.fitted import Fitted, Plan
from anomalo.jobs.place import EQUAL_ROWS, Place
from anomalo.schema import SchemaOptions, infer
from anomalo.store import ModelRecord


@dataclass(frozen=True)
class FitResult:
    """A saved model, the fitted object, and what there is to warn of."""

    record: ModelRecord
    fitted: Fitted
    warnings: tuple[str, ...]


def fit(place: Place, source: str, name: str, plan: Plan, options: SchemaOptions) -> FitResult:
    """Read `source`, fit `plan` on it and save the result as the next version of `name`.

    Raises
    ------
    SourceError
        The table cannot be read or holds nothing to learn from.
    UsageError
        The model, a parameter, a column or the device does not exist.
    SchemaError
        A column does not hold the kind that was asked for.
    OutputError
        The workspace cannot be written.
    TrainingError
        Training diverged.
    """
    place.check_device(plan.device)
    plan.create(place.registry)
    place.store.check_name(name)
    table = place.table(source)
    schema = infer(table, options)
    place.store.prepare()
    fitted = Fitted.fit(table, schema, dataclasses.replace(plan, progress=place.progress), place.registry)
    warnings = (*fitted.warnings, *_equal_rows(fitted))
    record = place.store.add_model(
        name,
        fitted.save,
        model=fitted.facts["model"],
        plugin=fitted.facts["plugin"],
        source=source,
        rows=table.num_rows,
        columns=len(schema.features),
        seconds=fitted.facts["seconds"],
        summary=_summary(fitted, warnings),
    )
    return FitResult(record, fitted, warnings)


def _equal_rows(fitted: Fitted) -> list[str]:
    if len(fitted.calibration.hashes) > 1 or "score" not in fitted.model.verbs():
        return []
    return [EQUAL_ROWS]


def _summary(fitted: Fitted, warnings: tuple[str, ...]) -> dict[str, Any]:
    skill = math.nan if fitted.hidden is None else fitted.hidden.skill()
    return {
        "verbs": list(fitted.model.verbs()),
        "parameters": fitted.facts["parameters"],
        "seed": fitted.facts["seed"],
        "skill": skill if math.isfinite(skill) else None,
        "warnings": list(warnings),
    }
