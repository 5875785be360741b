"""Explain one row of a table, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.images.explained import explain_images, regions_of, write_pictures_of
from anomalo.jobs.part import Part, numbered_parts
from anomalo.jobs.scoring.explained_later import keep, run_of
from anomalo.jobs.series.reading import series_parts
from anomalo.pipeline.cell_tables import cells_table
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.column import IMAGE
from anomalo.tabular.reading.images.rows import PATH

REGION = {"kind": IMAGE, "unit": ["", ""]}
"""What stands for the facts of a column at a region of an image."""


def explain(
    context: JobContext, source: str, reference: str, row: int, *, device: str = "auto", run: str | None = None
) -> dict[str, Any]:
    """Return a row's score, p-value and cells, the largest contribution first, JSON-ready.

    Parameters
    ----------
    run : str, optional
        A run that scored this table with this model; the explanation is kept in it, too.

    Raises
    ------
    UsageError
        The table has no such row; or the run is another's, or has another score for it.
    """
    record, fitted = context.load(reference, "score", device)
    kept_in = None if run is None else run_of(context.store, run, record.reference)
    part = _part(context, fitted, source, row)
    assert part.data is not None
    scored = fitted.score(part.data)
    score = float(scored.score[0])
    explained = _explained(fitted, part, part.data)
    if kept_in is not None:
        keep(kept_in, fitted, part, explained.cells, score, explained.beside)
    columns = {column.name: {"kind": column.kind, "unit": list(column.unit)} for column in fitted.schema.columns}
    lines = sorted(explained.cells.drop_columns("row").to_pylist(), key=lambda cell: -cell["contribution"])
    return {
        "row": row,
        "score": score,
        "p_value": float(scored.p_value[0]),
        **explained.facts,
        "cells": [{**cell, **columns.get(cell["column"], REGION)} for cell in lines],
    }


@dataclass(frozen=True)
class _Explained:
    """The cells of an explained row; what else is said of it, and written beside its cells."""

    cells: pa.Table
    facts: dict[str, Any] = field(default_factory=dict)
    beside: Callable[[Path], object] = lambda folder: None


def _explained(fitted: Fitted, part: Part, data: Encoded) -> _Explained:
    """Explain a row; of an image the cells are its regions, there is its path, and pictures are written beside them."""
    encoder = fitted.encoder
    if not isinstance(encoder, ImageEncoder):
        return _Explained(cells_table(fitted, part.batch, part.rows, data))
    found = replace(part, arrays=explain_images(fitted, data)[0])
    beside = partial(write_pictures_of, encoder, found)
    return _Explained(regions_of(encoder, found)[0], {PATH: part.batch.column(PATH)[0].as_py()}, beside)


def _part(context: JobContext, fitted: Fitted, source: str, row: int) -> Part:
    """Return one row of a table, encoded."""
    start = 0
    for batch, data in _encoded(context, fitted, source):
        if row < start + len(data):
            at = np.array([row - start])
            return Part(np.array([row]), batch.take(at), data.take(at))
        start += len(data)
    raise UsageError(f"row {row}: {source} has {start} rows; give a number from 0 to {start - 1}")


def _encoded(context: JobContext, fitted: Fitted, source: str) -> Iterator[tuple[pa.RecordBatch, Encoded]]:
    """Yield the batches of a source, encoded."""
    if fitted.schema.time is None:
        yield from context.encoded(source, fitted)
        return
    parts, _ = series_parts(lambda: numbered_parts(context.read(source)), fitted, ahead=False, strict=context.strict)
    for part in parts:
        yield part.batch, part.data or part.encoded(fitted, context.strict)
