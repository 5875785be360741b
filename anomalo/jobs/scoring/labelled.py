"""A label that marks the anomalies of a table: which rows have its rarer value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.encoding.encoded import Mask, Scores
from anomalo.evaluation.metrics import average_precision, roc_auc
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.parsing import absent
from anomalo.tabular.schema import Schema


@dataclass(frozen=True)
class Positives:
    """The rows that a label marks.

    Attributes
    ----------
    known : bool [n]
        Which rows have a label.
    positive : bool [number of known rows]
        Which of those have the rarer value.
    value : any
        That value.
    """

    known: Mask
    positive: Mask
    value: Any


def label_texts(schema: Schema, table: ParsedTable) -> pa.Array:
    """Return the labels of a table's rows as texts [n], null where there is none; no number or date is parsed."""
    column = schema.column(str(schema.label))
    cells = table.cells(column.name)
    missing = absent(column, cells.texts, schema.reading.of(column.name), cells.text or not column.typed_text)
    index = cells.distinct[1]
    return pc.if_else(pc.fill_null(missing, True), None, cells.texts).take(pa.array(index, mask=index < 0))


def positives(labels: pa.Array) -> Positives | None:
    """Return which rows have the rarer of a label's two values; None if it has not two."""
    counts = sorted(pc.value_counts(labels.drop_null()).to_pylist(), key=lambda item: item["counts"])
    if len(counts) != 2:
        return None
    rarer = counts[0]["values"]
    return Positives(np.asarray(labels.is_valid()), np.asarray(pc.equal(labels.drop_null(), rarer)), rarer)


def compared(found: Positives, score: Scores, alert: Mask) -> dict[str, Any]:
    """Return how well scores and alerts [n] find the rows that a label marks; those without a label are left out."""
    score, alert, positive = score[found.known], alert[found.known], found.positive
    return {
        "positive": f"{found.value:g}" if isinstance(found.value, float) else found.value,
        "auroc": roc_auc(positive, score),
        "ap": average_precision(positive, score),
        "rows": len(positive),
        "positives": int(positive.sum()),
        "alerts": int(alert.sum()),
        "hits": int((alert & positive).sum()),
    }


@dataclass
class LabelMonitor:
    """Collects the labels of a table that is scored, batch by batch.

    Parameters
    ----------
    schema : Schema
        Of the model. If it has no label, or the table has not, nothing is collected.
    """

    schema: Schema
    _labels: list[pa.Array] = field(default_factory=list)

    def see(self, batch: pa.RecordBatch) -> None:
        """Add a batch."""
        if self.schema.label is not None and self.schema.label in batch.schema.names:
            self._labels.append(label_texts(self.schema, ParsedTable.of(batch)).dictionary_encode())

    def positives(self) -> Positives | None:
        """Return which rows the label marks; None if there is no label, or not two values of it."""
        if not self._labels:
            return None
        return positives(pa.chunked_array(self._labels).cast(pa.string()).combine_chunks())
