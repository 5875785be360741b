"""Explain one row of a table, cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.pipeline.cell_tables import cells_table
from anomalo.pipeline.fitted import Fitted


def explain(context: JobContext, source: str, reference: str, row: int, *, device: str = "auto") -> dict[str, Any]:
    """Return a row's score, p-value and cells, the largest contribution first, JSON-ready.

    Raises
    ------
    UsageError
        The table has no such row.
    """
    _, fitted = context.load(reference, "score", device)
    start = 0
    for batch, data in context.encoded(source, fitted):
        if row < start + len(data):
            at = np.array([row - start])
            return _explained(fitted, row, batch.take(at), data.take(at))
        start += len(data)
    raise UsageError(f"row {row}: {source} has {start} rows; give a number from 0 to {start - 1}")


def _explained(fitted: Fitted, row: int, batch: pa.RecordBatch, data: Encoded) -> dict[str, Any]:
    scored = fitted.score(data)
    columns = {column.name: {"kind": column.kind, "unit": list(column.unit)} for column in fitted.schema.columns}
    cells = cells_table(fitted, batch, np.array([row]), data).drop_columns("row").to_pylist()
    return {
        "row": row,
        "score": float(scored.score[0]),
        "p_value": float(scored.p_value[0]),
        "cells": [{**cell, **columns[cell["column"]]} for cell in sorted(cells, key=lambda c: -c["contribution"])],
    }
