"""The reasons of a row's anomaly score: the cells that contribute most and are not what was expected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.calibration.results import Explained
from anomalo.encoding.encoded import Encoded, Mask
from anomalo.encoding.encoder import WritesRows
from anomalo.encoding.scaling import expand
from anomalo.pipeline.cell_tables import shown_cells
from anomalo.pipeline.fitted import Fitted

REASONS_PER_ROW = 5
"""The most reasons that a row is given."""
NEAR = 0.1
"""A number is next to the expected one within this part of the width of its interval, or of its column's scale."""
REMARK = r"\([^)]*\pL[^)]*\)"
"""What says why a value is expected, such as "(net + tax)"; that it is near the observed one does not matter then."""


def reasons(cells: pa.Table, rows: NDArray[np.intp], near: Mask) -> dict[int, list[dict[str, Any]]]:
    """Return each explained row's most anomalous cells, largest contribution first.

    A cell that is equal or next to what is expected of it is no reason. Where that is so of all cells that contribute,
    or none contributes more than nothing, the first one is the reason: without an expected value if it is as expected.

    Parameters
    ----------
    cells : Table
        The result of `cells_table` for the rows.
    rows : int [n]
        Their numbers.
    near : bool [n, columns]
        See `next_to_expected`.
    """
    if not len(rows):
        return {}
    columns = len(cells) // len(rows)
    contribution = cells["contribution"].to_numpy().reshape(len(rows), columns)
    remark = pc.fill_null(pc.match_substring_regex(cells["expected"], REMARK), False).to_numpy().reshape(-1, columns)
    equal = pc.fill_null(pc.equal(cells["observed"], cells["expected"]), False).to_numpy().reshape(-1, columns)
    dull = equal | (near & ~remark)
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


def next_to_expected(fitted: Fitted, data: Encoded, explained: Explained) -> Mask:
    """Return which numbers are next to what is expected of them, bool [n, cells] of the cells in a table of cells."""
    shape = len(data), len(data.layout.block_of_cell)
    near = np.zeros(shape, dtype=np.bool_)
    values, seen = data.flat()
    expected, encoder = explained.expected.reshape(shape), fitted.encoder
    width = (explained.high - explained.low).reshape(shape)
    for block, at in zip(data.layout.blocks, data.layout.cells_of_block, strict=True):
        if block.kind == "number":
            observed, usual = (expand(numbers[:, at], block.offset, block.scale) for numbers in (values, expected))
            if isinstance(encoder, WritesRows):
                usual = encoder.possible(expected[:, at], block.position)
            within = NEAR * np.where(np.isnan(width[:, at]), block.scale, width[:, at])
            near[:, at] = np.abs(observed - usual) <= within
    return (near & seen)[:, shown_cells(data.layout)]
