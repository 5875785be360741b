"""The first pass over a table: every row's score and p-value, and which rows are alerts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from anomalo.calibration.thresholds import Threshold
from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.jobs.context import EQUAL_ROWS, PRETRAINED, DataQualityMonitor, counts
from anomalo.jobs.monitor import DriftMonitor
from anomalo.jobs.sharding import Found, Work


@dataclass(frozen=True)
class Judged:
    """All rows of a table, judged.

    Attributes
    ----------
    score, p_value : float64 [n]
        In the input's row order.
    alert : bool [n]
        Which rows are alerts.
    ids : ChunkedArray [n] or None
        The cells of the column that names the rows.
    schema : Schema
        Of the source's batches.
    warnings : list of str
        Plain sentences.
    """

    score: Scores
    p_value: Scores
    alert: Mask
    ids: pa.ChunkedArray | None
    schema: pa.Schema
    warnings: list[str]


def judge(work: Work, threshold: Threshold) -> Judged:
    """Score a source and raise alerts; what was found before is kept."""
    fitted = work.fitted
    watch, new, schema = DataQualityMonitor(fitted), DriftMonitor(fitted), pa.schema([])
    scores, p_values, ids = [np.zeros(0)], [np.zeros(0)], []

    def find(data: Encoded) -> Found:
        scored = fitted.score(data)
        found = {"score": scored.score, "p_value": scored.p_value} | new.find(data, scored)
        return found, counts(data)

    for part in work.parts("scores", find):
        watch.see(len(part.rows), part.counts)
        new.see(part.arrays)
        scores.append(part.arrays["score"])
        p_values.append(part.arrays["p_value"])
        schema = part.batch.schema
        identifiers = work.identifiers(part.batch)
        if identifiers is not None:
            ids.append(identifiers)
        work.context.tell(watch.rows)
    score, p_value = np.concatenate(scores), np.concatenate(p_values)
    reference = len(fitted.calibration.reference)
    nothing = EQUAL_ROWS if fitted.facts["calibrated"] else PRETRAINED
    limit = threshold.limits(len(score), reference) if reference else nothing
    return Judged(
        score,
        p_value,
        threshold.alerts(p_value, score),
        pa.chunked_array(ids) if ids else None,
        schema,
        [*watch.warnings(), *new.warnings(), *([limit] if limit else [])],
    )
