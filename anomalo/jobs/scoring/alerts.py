"""Score all rows of a table and decide which are alerts: the first pass of `score` and `repair`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from anomalo.calibration.thresholds import Threshold
from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.jobs.context import EQUAL_ROWS, PRETRAINED, DataQualityMonitor, counts
from anomalo.jobs.monitor import DriftMonitor
from anomalo.jobs.scoring.candidates import Candidates
from anomalo.jobs.sharding import Found, Rows, Work


@dataclass(frozen=True)
class ScoredTable:
    """The scores, p-values and alerts of all rows of a table.

    Attributes
    ----------
    score, p_value : float64 [n]
        In the input's row order.
    alert : bool [n]
        Which rows are alerts.
    ids : ChunkedArray [n] or None
        The cells of the column that names the rows.
    candidates : Candidates
        The alerts, and as many of the most anomalous rows as were asked for, for one use.
    warnings : list of str
        Plain sentences.
    """

    score: Scores
    p_value: Scores
    alert: Mask
    ids: pa.ChunkedArray | None
    candidates: Candidates
    warnings: list[str]


def score_table(work: Work, threshold: Threshold, explain: int = 0) -> ScoredTable:
    """Score the rows of a source and find the alerts; shards that are already finished are not computed again.

    Alerts and the `explain` most anomalous rows are kept, raw and encoded.
    """
    fitted, known = work.fitted, work.opened.scores
    quality, drift, candidates = DataQualityMonitor(fitted), DriftMonitor(fitted), Candidates(threshold, explain)
    scores, p_values, ids = [np.zeros(0)], [np.zeros(0)], []

    def find(data: Encoded, rows: Rows) -> Found:
        scored = fitted.score(data, None if known is None else known[rows])
        found = {"score": scored.score, "p_value": scored.p_value} | drift.find(data, scored)
        return found, counts(data)

    for part in work.parts("scores", find):
        quality.see(len(part.rows), part.counts)
        drift.see(part.arrays)
        scores.append(part.arrays["score"])
        p_values.append(part.arrays["p_value"])
        candidates.see(part, p_values[-1], scores[-1])
        identifiers = work.identifiers(part.batch)
        if identifiers is not None:
            ids.append(identifiers)
        work.context.report_rows(quality.rows)
    quality.require_readable()
    score, p_value = np.concatenate(scores), np.concatenate(p_values)
    reference = len(fitted.calibration.reference)
    uncalibrated = EQUAL_ROWS if fitted.facts["calibrated"] else PRETRAINED
    limit = threshold.limits(len(score), reference) if reference else uncalibrated
    return ScoredTable(
        score,
        p_value,
        threshold.alerts(p_value, score),
        pa.chunked_array(ids) if ids else None,
        candidates,
        [*quality.warnings(), *drift.warnings(), *([limit] if limit else [])],
    )
