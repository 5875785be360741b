"""The reasons of a row's anomaly score: the cells that contribute most and are not what was expected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.encoded import Block, Mask
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.column import TEXT, Column
from anomalo.tabular.datetimes import ISO
from anomalo.tabular.parsing import measured
from anomalo.tabular.understanding.number_style import PLAIN_STYLE
from anomalo.tabular.understanding.reading import Reading

REASONS_PER_ROW = 5
"""The most reasons that a row is given."""
NEAR = 0.1
"""A number is next to the expected one within this part of the width of its interval, or of its column's scale."""


def reasons(fitted: Fitted, cells: pa.Table, rows: NDArray[np.intp]) -> dict[int, list[dict[str, Any]]]:
    """Return each explained row's most anomalous cells, largest contribution first.

    A cell that is equal or next to what is expected of it is no reason. Where that is so of all cells that contribute,
    or none contributes more than nothing, the first one is the reason: without an expected value if it is as expected.

    Parameters
    ----------
    cells : Table
        The result of `cells_table` for the rows.
    rows : int [n]
        Their numbers.
    """
    if not len(rows):
        return {}
    columns = len(cells) // len(rows)
    contribution = cells["contribution"].to_numpy().reshape(len(rows), columns)
    dull = as_expected(fitted, cells, columns)
    kept = np.where((contribution > 0) & ~dull, contribution, -np.inf)
    order = np.argsort(-kept, axis=1, kind="stable")[:, :REASONS_PER_ROW]
    count = np.isfinite(np.take_along_axis(kept, order, axis=1)).sum(axis=1)
    first = contribution.argmax(axis=1)
    alone = (count == 0) & (contribution.max(axis=1) != 0)
    order[alone, 0] = first[alone]
    at = np.arange(len(rows))[:, None] * columns + order
    lines = cells.select(["column", "contribution", "observed", "expected"]).take(pa.array(at.ravel())).to_pylist()
    for row in np.flatnonzero(alone & dull[np.arange(len(rows)), first]):
        lines[row * order.shape[1]]["expected"] = None
    starts, lengths = np.arange(len(rows)) * order.shape[1], np.where(alone, 1, count)
    return {int(row): lines[start : start + length] for row, start, length in zip(rows, starts, lengths, strict=True)}


def as_expected(fitted: Fitted, cells: pa.Table, columns: int) -> Mask:
    """Return which cells are equal or next to what is expected of them, bool [n, columns]; no missing cell is."""
    equal: Mask = pc.fill_null(pc.equal(cells["observed"], cells["expected"]), False).to_numpy().reshape(-1, columns)
    features = {column.name: column for column in fitted.schema.features}
    blocks = {block.name: block for block in fitted.encoder.layout.blocks}
    for at, name in enumerate(cells["column"][:columns].to_pylist()):
        if name in features and name in blocks and blocks[name].kind == "number":
            here = cells.take(pa.array(np.arange(at, len(cells), columns)))
            equal[:, at] |= _near(features[name], blocks[name], here, fitted.schema.reading)
    return equal


def _near(column: Column, block: Block, cells: pa.Table, reading: Reading) -> Mask:
    """Return which numbers of a column [n] are next to the expected ones; a text that is no number is not."""
    observed, expected = (_numbers(column, cells[name], reading) for name in ("observed", "expected"))
    width = np.subtract(*(cells[name].to_numpy() for name in ("high", "low")))
    near: Mask = np.abs(observed - expected) <= NEAR * np.where(np.isnan(width), block.scale, width)
    return near


def _numbers(column: Column, texts: pa.ChunkedArray, reading: Reading) -> NDArray[np.float64]:
    """Return texts of a column's cells as numbers [n], nan where they are none."""
    if column.storage != TEXT:
        column = replace(column, storage=TEXT, numbers=PLAIN_STYLE, date_format=(ISO,))
    return measured(column, texts.combine_chunks(), replace(reading, infinite="missing"))[0]
