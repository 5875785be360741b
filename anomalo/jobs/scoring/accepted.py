"""The rows of a scored table that a model's feedback accepts: how many would be alerts without it, and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.calibration.results import Scored
from anomalo.encoding.encoded import Mask
from anomalo.jobs.part import Rows
from anomalo.persistence.resume import Arrays
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.writing.writer import TableWriter

FILE = "accepted.parquet"
SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("score", pa.float64()),
        pa.field("p_value", pa.float64()),
        pa.field("alert", pa.bool_()),
        pa.field("why", pa.string()),
    ]
)


def found(scored: Scored) -> Arrays:
    """Return what is kept of a part for `write`; nothing if the model has no feedback."""
    if scored.accepted is None:
        return {}
    by = scored.accepted
    return {"pattern": by.pattern, "model_score": by.score, "model_p_value": by.p_value}


def write(fitted: Fitted, folder: Path, results: Iterable[tuple[Rows, Mask, Arrays]], largest: float) -> dict[str, Any]:
    """Write the accepted rows with what the model alone says of them, and return what the run's summary says of them.

    Nothing is written or returned if the model has no feedback. `alert` says whether a row would be an alert without
    it; with a budget it is false, as that depends on the other rows.

    Parameters
    ----------
    results : iterable
        Rows, which of them are alerts, and all that was found of them, part by part.
    largest : float
        The largest p-value of an alert.
    """
    if fitted.feedback is None:
        return {}
    names = [str(pattern) for pattern in fitted.feedback.patterns]
    counts, alerts = Counter[str](), 0
    with TableWriter(folder / FILE, SCHEMA) as file:
        for rows, _, arrays in results:
            some = np.flatnonzero(arrays["pattern"] >= 0)
            if not len(some):
                continue
            alert = arrays["model_p_value"][some] <= largest
            why = [names[at] for at in arrays["pattern"][some].tolist()]
            counts.update(name for name, would_be in zip(why, alert.tolist(), strict=True) if would_be)
            alerts += int(alert.sum())
            columns = (rows[some], arrays["model_score"][some], arrays["model_p_value"][some], alert, why)
            file.write(pa.RecordBatch.from_arrays([pa.array(each) for each in columns], schema=SCHEMA))
    return {"feedback": {"alerts": alerts, "by": [{"why": why, "alerts": rows} for why, rows in counts.most_common()]}}
