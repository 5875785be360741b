"""Explain one row of a table, cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.images.explained import regions_of
from anomalo.pipeline.cell_tables import cells_table
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.column import IMAGE
from anomalo.tabular.reading.images.rows import PATH


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
    facts = {"row": row, "score": float(scored.score[0]), "p_value": float(scored.p_value[0])}
    if isinstance(fitted.encoder, ImageEncoder):
        return facts | {"path": batch.column(PATH)[0].as_py(), "cells": _regions(fitted, fitted.encoder, data)}
    columns = {column.name: {"kind": column.kind, "unit": list(column.unit)} for column in fitted.schema.columns}
    cells = cells_table(fitted, batch, np.array([row]), data).drop_columns("row").to_pylist()
    in_order = sorted(cells, key=lambda cell: -cell["contribution"])
    return facts | {"cells": [{**cell, **columns[cell["column"]]} for cell in in_order]}


def _regions(fitted: Fitted, encoder: ImageEncoder, data: Encoded) -> list[dict[str, Any]]:
    """Return the regions of an image as the cells of a row are."""
    rest = {"low": None, "high": None, "kind": IMAGE, "unit": ["", ""]}
    return [region.to_json() | rest for region in regions_of(encoder, data, fitted)]
