"""Fit and score a table in one go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from anomalo.cells import text
from anomalo.fitted import Plan
from anomalo.jobs.fit import FitResult, fit
from anomalo.jobs.place import Place
from anomalo.jobs.score import ScoreResult, score
from anomalo.metrics import average_precision, roc_auc
from anomalo.plugin import Mask
from anomalo.schema import SchemaOptions
from anomalo.scoring import Threshold


@dataclass(frozen=True)
class ScanResult:
    """The saved model, the scores, and how they match the label if one was named."""

    fitted: FitResult
    scored: ScoreResult
    evaluation: dict[str, Any] | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what there is to warn of."""
        return tuple(dict.fromkeys((*self.fitted.warnings, *self.scored.warnings)))


def scan(place: Place, source: str, plan: Plan, options: SchemaOptions, threshold: Threshold) -> ScanResult:
    """Fit `plan` on `source`, save the model under the file's name, and score the same rows.

    Raises
    ------
    SourceError
        The table cannot be read or holds nothing to learn from.
    UsageError
        The model or a column does not exist.
    """
    fitted = fit(place, source, _name(source), plan, options)
    scored = score(place, source, fitted.record.reference, threshold=threshold, device=plan.device)
    evaluation = None if options.label is None else evaluate(scored, positives(place, source, options.label))
    return ScanResult(fitted, scored, evaluation)


def _name(source: str) -> str:
    stem = Path(source).name.partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_.-]", "-", stem).strip("-.") or "table"


def positives(place: Place, source: str, label: str) -> Mask | None:
    """Return which rows have the rarer of a label's two values; None if it has not two."""
    values = text(place.table(source)[label].combine_chunks())
    counts = sorted(pc.value_counts(values).to_pylist(), key=lambda item: item["counts"])
    if len(counts) != 2:
        return None
    found: Mask = np.asarray(pc.equal(values, counts[0]["values"]).fill_null(False))
    return found


def evaluate(scored: ScoreResult, strange: Mask | None) -> dict[str, Any] | None:
    """Compare scores and alerts with the truth; None if there is none."""
    if strange is None or not strange.any():
        return None
    hits = int((scored.alert & strange).sum())
    return {
        "auroc": roc_auc(strange, scored.score),
        "ap": average_precision(strange, scored.score),
        "positives": int(strange.sum()),
        "alerts": int(scored.alert.sum()),
        "hits": hits,
    }
