"""Cells as people read them: observed, expected and interval in the column's own words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding import expand
from anomalo.fitted import Fitted
from anomalo.plugin import MISSING, Block, Encoded, Floats, Mask

REASONS_PER_ROW = 5
"""The most reasons that a row is given."""

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("column", pa.string()),
        ("contribution", pa.float64()),
        ("observed", pa.string()),
        ("expected", pa.string()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)


def absent(data: Encoded, position: int) -> Mask:
    """Return in which rows a cell is missing, bool [n]: an unseen level is not observed either, but there."""
    missing: Mask = ~data.observed[:, position] & (data.values[:, position] == MISSING)
    return missing


def text(array: pa.Array) -> pa.Array:
    """Return an array as trimmed strings; a moment has no fraction of a second that is zero."""
    if pa.types.is_dictionary(array.type):
        array = pc.cast(array, array.type.value_type)
    trimmed = pc.utf8_trim_whitespace(pc.cast(array, pa.string()))
    return pc.replace_substring_regex(trimmed, r"\.0+(Z?)$", r"\1") if pa.types.is_temporal(array.type) else trimmed


def cells_table(fitted: Fitted, batch: pa.RecordBatch, rows: NDArray[np.intp], data: Encoded) -> pa.Table:
    """Explain rows, one line for each cell: row by row, the columns in the table's order.

    Parameters
    ----------
    batch : RecordBatch [n]
        The raw rows.
    rows : int [n]
        Their numbers in the input.
    data : Encoded [n]
        The same rows, encoded.
    """
    if not len(rows):
        return SCHEMA.empty_table()
    explained = fitted.explain(data)
    blocks = data.layout.blocks
    by_column = np.arange(len(blocks) * len(rows)).reshape(len(blocks), len(rows))
    order = pa.array(by_column.T.ravel())
    observed = [_observed(block, batch, data) for block in blocks]
    expected = [text(fitted.encoder.decode(_within(block, explained.expected), block.position)) for block in blocks]
    at = [block.position for block in blocks]
    ends = np.array([_ends(block) for block in blocks]).T
    columns = [
        pa.array(np.repeat(rows, len(blocks)), pa.int64()),
        pa.array([block.name for block in blocks]).take(pa.array(np.tile(np.arange(len(blocks)), len(rows)))),
        pa.array(explained.contribution[:, at].ravel()),
        pa.concat_arrays(observed).take(order),
        pa.concat_arrays(expected).take(order),
        _nullable(np.clip(explained.low[:, at], *ends).ravel()),
        _nullable(np.clip(explained.high[:, at], *ends).ravel()),
    ]
    return pa.table(columns, schema=SCHEMA)


def _observed(block: Block, batch: pa.RecordBatch, data: Encoded) -> pa.Array:
    missing = absent(data, block.position)
    return pc.if_else(pa.array(missing), None, text(batch.column(block.name)))


def _within(block: Block, expected: Floats) -> Floats:
    """Return a column's expected values [n], numbers within the range that training saw."""
    values = expected[:, block.position]
    return np.clip(values, block.low, block.high) if block.kind == "number" else values


def _ends(block: Block) -> tuple[float, float]:
    if block.kind != "number":
        return np.nan, np.nan
    low, high = expand([block.low, block.high], block.offset, block.scale)
    return float(low), float(high)


def _nullable(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))


def reasons(cells: pa.Table, rows: NDArray[np.intp]) -> dict[int, list[dict[str, Any]]]:
    """Return each explained row's strangest cells, largest contribution first.

    Parameters
    ----------
    cells : Table
        What `cells_table` made of the rows.
    rows : int [n]
        Their numbers.
    """
    if not len(rows):
        return {}
    columns = len(cells) // len(rows)
    contribution = cells["contribution"].to_numpy().reshape(len(rows), columns)
    order = np.argsort(-contribution, axis=1, kind="stable")[:, :REASONS_PER_ROW]
    at = np.arange(len(rows))[:, None] * columns + order
    lines = cells.select(["column", "contribution", "observed", "expected"]).take(pa.array(at.ravel())).to_pylist()
    each = order.shape[1]
    return {
        int(row): [line for line in lines[start : start + each] if line["contribution"] > 0]
        for row, start in zip(rows, range(0, len(lines), each), strict=True)
    }
