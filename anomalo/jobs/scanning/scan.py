"""Fit a model on a table, score the table and impute its missing cells in one go."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import without_passwords
from anomalo.jobs.context import JobContext, Opened
from anomalo.jobs.fitting.fit import FitResult, extend, fit
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.imputing.result import ImputeResult
from anomalo.jobs.scoring.labelled import compared, positives
from anomalo.jobs.scoring.score import ScoreResult, score
from anomalo.models.results import Plan
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import SchemaOptions, parse
from anomalo.tabular.structure import structure

FIRST = frozenset({"score", "embed"})
"""What a model is fitted for first, so that the anomalous rows are known soon."""


@dataclass(frozen=True)
class Anomalies:
    """The saved model, the scores, how they match the label if one is named, warnings, and what the table is like."""

    fitted: FitResult
    scored: ScoreResult
    evaluation: dict[str, Any] | None
    warnings: tuple[str, ...]
    structure: tuple[str, ...]


@dataclass(frozen=True)
class ScanResult(Anomalies):
    """The same, with the imputed table if cells are missing."""

    filled: ImputeResult | None


def find(
    context: JobContext, source: str, config: FitConfig, options: SchemaOptions, threshold: Threshold
) -> Anomalies:
    """Fit `config` on `source`, save the model under the file's name and score the same rows.

    A model that can be extended is fitted to score alone: see `complete`.

    Raises
    ------
    SourceError
        The table cannot be read or holds nothing to learn from.
    UsageError
        The model or a column does not exist.
    """
    announced = replace(config, announce=lambda plan: config.announce(_and_scored(plan)))
    fitted = fit(context, source, _name(source), announced, options, first=FIRST)
    scored = score(context, source, fitted.opened(), threshold=threshold, device=config.device)
    warnings = [*fitted.warnings, *scored.warnings]
    evaluation = None
    if options.label is not None:
        evaluation = evaluate(scored, _labels(context, source, fitted))
        if evaluation is None:
            warnings.append(f"label {options.label!r} does not have two values: the scores are not compared with it")
    like = structure(fitted.table, fitted.fitted.schema).sentences if fitted.whole else ()
    return Anomalies(fitted, scored, evaluation, tuple(dict.fromkeys(warnings)), like)


def complete(
    context: JobContext, source: str, found: Anomalies, config: FitConfig, *, safe_csv: bool = False
) -> ScanResult:
    """Fit the model of `find` for all other verbs too, and impute the table's missing cells.

    With `safe_csv`, a spreadsheet finds no formulas in the imputed table.
    """
    fitted = extend(context, found.fitted, config)
    filled = _fill(context, source, fitted.opened(), config.device, safe_csv)
    no_longer = set(found.fitted.warnings) - set(fitted.warnings)
    every = dict.fromkeys((*found.warnings, *fitted.warnings))
    warnings = tuple(text for text in every if text not in no_longer)
    return ScanResult(fitted, found.scored, found.evaluation, warnings, found.structure, filled)


def scan(
    context: JobContext, source: str, config: FitConfig, options: SchemaOptions, threshold: Threshold
) -> ScanResult:
    """Find the anomalous rows, then complete the model and the table; raises as `find` does."""
    return complete(context, source, find(context, source, config, options, threshold), config)


def _and_scored(plan: Plan) -> Plan:
    """Return the plan of a fit after which all rows are scored."""
    return replace(plan, seconds=plan.seconds and plan.seconds + plan.scoring, scoring=0.0)


def _fill(context: JobContext, source: str, opened: Opened, device: str, safe_csv: bool) -> ImputeResult | None:
    """Impute the table's missing cells, if it has any and the model imputes."""
    missing = any(block.missing > 0 for block in opened.fitted.encoder.layout.blocks)
    if not missing or "impute" not in opened.fitted.guarded.verbs:
        return None
    return impute(context, source, opened, safe_csv=safe_csv, device=device)


def _name(source: str) -> str:
    stem = Path(without_passwords(source)).name.partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_.-]", "-", stem).strip("-.")[:100] or "table"


def _labels(context: JobContext, source: str, result: FitResult) -> pa.Array:
    """Return the labels of all rows, which are read once more if they are not in memory."""
    schema, table = result.fitted.schema, result.table
    if not result.whole:
        label = [str(schema.label)]
        table = ParsedTable(pa.Table.from_batches([batch.select(label) for batch in context.read(source)]))
    column = schema.column(str(schema.label))
    return parse(column, table.cells(column.name), replace(schema.reading, infinite="missing"))


def evaluate(scored: ScoreResult, labels: pa.Array) -> dict[str, Any] | None:
    """Compare scores and alerts with a label whose rarer value marks the anomalies; None if it has not two values.

    Parameters
    ----------
    scored : ScoreResult
        Of n rows.
    labels : Array [n]
        Rows with no label are left out.
    """
    found = positives(labels)
    return None if found is None else compared(found, scored.score, scored.alert)
