"""The cells of explained rows that break a rule between columns: what they should be, as the rule says."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Mask
from anomalo.pipeline.fitted import Fitted
from anomalo.rules.evidence import Evidence, expectations
from anomalo.rules.rule import Rule


def rules_of(fitted: Fitted) -> tuple[Rule, ...]:
    """Return the rules that add to a model's scores: none for a classifier, or where the encoder finds none."""
    rules: tuple[Rule, ...] = () if fitted.classifies else getattr(fitted.encoder, "rules", ())
    return rules


def with_rules(cells: pa.Table, fitted: Fitted, batch: pa.RecordBatch, blamed: Mask) -> pa.Table:
    """Return explained cells in which those blamed for a broken rule have the rule's expected value, and no interval.

    Parameters
    ----------
    cells : Table
        As `cell_tables.cells_table` has them: row by row, each with the same columns.
    batch : RecordBatch [n]
        The raw rows.
    blamed : bool [n, columns]
        Those cells; their rows alone are read again.
    """
    rules, rows = rules_of(fitted), np.flatnonzero(blamed.any(axis=1))
    if not rules or not len(rows):
        return cells
    some = fitted.schema.parse(batch.take(pa.array(rows)), first_row=1)
    evidence = Evidence.of(rules, some, [block.name for block in fitted.encoder.layout.blocks])
    if evidence is None:
        return cells
    found = expectations(evidence, some, fitted.schema, blamed[rows])
    each = len(cells) // batch.num_rows
    names = cells["column"].slice(0, each).to_pylist()
    expected, low, high = (cells[name].to_pylist() for name in ("expected", "low", "high"))
    for (row, name), (text, value) in found.items():
        at = int(rows[row]) * each + names.index(name)
        expected[at], low[at], high[at] = text, *(2 * [None if np.isnan(value) else value])
    for name, values in (("expected", expected), ("low", low), ("high", high)):
        index = cells.schema.get_field_index(name)
        cells = cells.set_column(index, cells.schema.field(index), pa.array(values, cells.schema.field(index).type))
    return cells
