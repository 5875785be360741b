"""Explain one row of a table, cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from anomalo.cells import cells_table
from anomalo.errors import UsageError
from anomalo.jobs.place import Place


def explain(place: Place, source: str, reference: str, row: int, *, device: str = "auto") -> dict[str, Any]:
    """Return a row's score, p-value and cells, the strangest first, JSON-ready.

    Raises
    ------
    UsageError
        The table has no such row.
    """
    _, fitted = place.load(reference, device)
    fitted.require("score")
    start = 0
    for batch, data in place.encoded(source, fitted):
        if row < start + len(data):
            at = np.array([row - start])
            one = data.take(at)
            scored = fitted.score(one)
            cells = cells_table(fitted, batch.take(at), np.array([row]), one).drop_columns("row").to_pylist()
            cells.sort(key=lambda cell: -cell["contribution"])
            return {
                "row": row,
                "score": float(scored.score[0]),
                "p_value": float(scored.p_value[0]),
                "cells": cells,
            }
        start += len(data)
    raise UsageError(f"row {row}: {source} has {start} rows, counted from 0")
