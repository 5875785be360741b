"""Repairs as a table of suggestions: a line for each cell to replace, with its value before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask
from anomalo.encoding.encoder import writing
from anomalo.jobs.part import Part
from anomalo.jobs.scoring.alerts import ScoredTable
from anomalo.jobs.scoring.numbered import free_name
from anomalo.jobs.sharding import Work
from anomalo.pipeline.explaining.expected_cells import containing, text
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.repair import Repaired
from anomalo.pipeline.text_repairs import TextRepairs

CELL = ("column", "before", "after", "low", "high")
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("column", pa.string()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("score_before", pa.float64()),
        ("score_after", pa.float64()),
        ("p_value_before", pa.float64()),
        ("p_value_after", pa.float64()),
        ("normal", pa.bool_()),
    ]
)


def suggestions(work: Work, part: Part, found: Repaired, texts: TextRepairs, scored: ScoredTable) -> pa.RecordBatch:
    """Return the repairs of some rows: a line for each replaced cell, one without a column for a row that has none.

    Parameters
    ----------
    part : Part [n]
        The raw rows; its array `missing` [n, columns] says which cells are missing.
    found : Repaired [n]
        Their repairs.
    texts : TextRepairs [n]
        Those of columns that no model reads, whose lines are behind the others of each row.
    scored : ScoredTable
        The scores of all rows of the table.
    """
    encoder = work.fitted.encoder
    after = encoder.fill(texts.written(part.batch), found.value, where=found.cells)
    names = [*(block.name for block in encoder.layout.blocks), *texts.columns]
    there, replaced = (
        np.column_stack([cells, texts.cells]) for cells in (found.cells & ~part.arrays["missing"], found.cells)
    )
    # A column more, for rows that have no repair.
    at, position = np.nonzero(np.column_stack([replaced, ~found.normal]))
    rows, has_score = part.rows[at], np.isfinite(found.score[at])
    low, high = _intervals(work.fitted, found, len(names) + 1)
    columns = {
        "row": rows,
        "column": np.array([*names, None], dtype=object)[position],
        "before": _texts(names, part.batch, there)[at, position],
        "after": _texts(names, after, replaced)[at, position],
        "low": low[at, position],
        "high": high[at, position],
        "score_before": scored.score[rows],
        "score_after": np.where(has_score, found.score[at], np.nan),
        "p_value_before": scored.p_value[rows],
        "p_value_after": np.where(has_score, found.p_value[at], np.nan),
        "normal": found.normal[at],
    }
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in SCHEMA]
    identifiers = work.identifiers(part.batch)
    if identifiers is not None:
        arrays.insert(1, identifiers.take(pa.array(at)))
    return pa.RecordBatch.from_arrays(arrays, schema=schema(work, scored))


def schema(work: Work, scored: ScoredTable) -> pa.Schema:
    """Return the schema of a table's suggestions: `SCHEMA`, with the column that names the rows if there is one."""
    if scored.id_type is None:
        return SCHEMA
    return SCHEMA.insert(1, pa.field(free_name(str(work.fitted.schema.id), SCHEMA.names), scored.id_type))


def nested(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the lines of one row as one value, JSON-ready, with its cells in a list."""
    row = {name: _ready(value) for name, value in lines[0].items() if name not in CELL}
    return row | {"cells": [{name: line[name] for name in CELL} for line in lines if line["column"] is not None]}


def _ready(value: Any) -> Any:
    return value if isinstance(value, int | float | str | None) else str(value)


def _texts(names: list[str], batch: pa.RecordBatch, cells: Mask) -> NDArray[np.object_]:
    """Return the trimmed texts of the cells under the mask [n, columns]; None elsewhere, and in a last column."""
    found = np.full((len(cells), cells.shape[1] + 1), None, dtype=object)
    for position, name in enumerate(names):
        at = np.flatnonzero(cells[:, position])
        if len(at):
            found[at, position] = text(batch.column(name).take(pa.array(at))).to_pylist()
    return found


def _intervals(fitted: Fitted, found: Repaired, columns: int) -> NDArray[np.float64]:
    """Return the ends of intervals [2, n, columns] as the columns can hold them; NaN where a model reads none."""
    ends = np.full((2, len(found.low), columns), np.nan)
    encoder = writing(fitted.encoder)
    for block in fitted.encoder.layout.blocks:
        at = block.position
        if block.kind == "number":
            numbers = encoder.possible(found.value[:, at], at)
            ends[:, :, at] = containing(encoder, block, numbers, found.low[:, at], found.high[:, at])
    return ends
