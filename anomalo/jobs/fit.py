"""Fit a model on a table and save it under a name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from anomalo.fitted import Fitted, Plan
from anomalo.jobs.place import Place
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
    TrainingError
        Training diverged.
    """
    plan.create(place.registry)
    place.store.check_name(name)
    table = place.table(source)
    schema = infer(table, options)
    fitted = Fitted.fit(table, schema, dataclasses.replace(plan, progress=place.progress), place.registry)
    record = place.store.add_model(
        name,
        fitted.save,
        model=fitted.facts["model"],
        plugin=fitted.facts["plugin"],
        source=source,
        rows=table.num_rows,
        columns=len(schema.features),
        seconds=fitted.facts["seconds"],
        summary={"verbs": list(fitted.model.verbs()), "warnings": list(fitted.warnings)},
    )
    return FitResult(record, fitted, fitted.warnings)
