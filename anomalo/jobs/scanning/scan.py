"""Fit a model on a table, score the table and impute its missing cells in one go."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.calibration.thresholds import Threshold
from anomalo.evaluation.metrics import average_precision, roc_auc
from anomalo.jobs.context import JobContext, Opened
from anomalo.jobs.fitting.fit import FitResult, extend, fit
from anomalo.jobs.imputing.impute import ImputeResult, impute
from anomalo.jobs.scoring.score import ScoreResult, score
from anomalo.pipeline.config import FitConfig
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
    fitted = fit(context, source, _name(source), config, options, first=FIRST)
    scored = score(context, source, fitted.opened(), threshold=threshold, device=config.device)
    warnings = [*fitted.warnings, *scored.warnings]
    evaluation = None
    if options.label is not None:
        evaluation = evaluate(scored, _labels(fitted))
        if evaluation is None:
            warnings.append(f"label {options.label!r} does not have two values: the scores are not compared with it")
    like = structure(fitted.table, fitted.fitted.schema)
    return Anomalies(fitted, scored, evaluation, tuple(dict.fromkeys(warnings)), like.sentences)


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


def _fill(context: JobContext, source: str, opened: Opened, device: str, safe_csv: bool) -> ImputeResult | None:
    """Impute the table's missing cells, if it has any and the model imputes."""
    missing = any(block.missing > 0 for block in opened.fitted.encoder.layout.blocks)
    if not missing or "impute" not in opened.fitted.guarded.verbs:
        return None
    return impute(context, source, opened, safe_csv=safe_csv, device=device)


def _name(source: str) -> str:
    stem = Path(source).name.partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_.-]", "-", stem).strip("-.")[:100] or "table"


def _labels(result: FitResult) -> pa.Array:
    schema = result.fitted.schema
    column = schema.column(str(schema.label))
    return parse(column, result.table.cells(column.name), replace(schema.reading, infinite="missing"))


def evaluate(scored: ScoreResult, labels: pa.Array) -> dict[str, Any] | None:
    """Compare scores and alerts with a label whose rarer value marks the anomalies; None if it has not two values.

    Parameters
    ----------
    scored : ScoreResult
        Of n rows.
    labels : Array [n]
        Rows with no label are left out.
    """
    known = np.asarray(labels.is_valid())
    counts = sorted(pc.value_counts(labels.drop_null()).to_pylist(), key=lambda item: item["counts"])
    if len(counts) != 2:
        return None
    positive = np.asarray(pc.equal(labels.drop_null(), counts[0]["values"]))
    alert, values = scored.alert[known], scored.score[known]
    rarer = counts[0]["values"]
    return {
        "positive": f"{rarer:g}" if isinstance(rarer, float) else rarer,
        "auroc": roc_auc(positive, values),
        "ap": average_precision(positive, values),
        "rows": len(positive),
        "positives": int(positive.sum()),
        "alerts": int(alert.sum()),
        "hits": int((alert & positive).sum()),
    }
