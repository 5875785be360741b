"""A label that marks the anomalies of a table: which rows have its rarer value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.encoding.encoded import Mask
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
