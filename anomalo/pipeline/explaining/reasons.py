"""The reasons of a row's anomaly score: the cells that contribute most and are not what was expected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask

REASONS_PER_ROW = 5
"""The most reasons that a row is given."""
LEAST = 0.01
"""A cell that contributes less than this part of what the row's first one does is no reason."""


def reasons(cells: pa.Table, rows: NDArray[np.intp], near: Mask) -> dict[int, list[dict[str, Any]]]:
    """Return each explained row's most anomalous cells, largest contribution first.

    A cell that is equal or next to what is expected of it, or contributes next to nothing, is no reason. Where that is
    so of all cells that contribute, or none contributes more than nothing, the first one is the reason: without an
    expected value if it is as expected.

    Parameters
    ----------
    cells : Table
        The result of `cells_table` for the rows.
    rows : int [n]
        Their numbers.
    near : bool [n, columns]
        Which are next to what is expected of them; see `Explained`.
    """
    if not len(rows):
        return {}
    columns = len(cells) // len(rows)
    contribution = cells["contribution"].to_numpy().reshape(len(rows), columns)
    equal = pc.fill_null(pc.equal(cells["observed"], cells["expected"]), False).to_numpy()
    dull = near | equal.reshape(len(rows), columns)
    enough = contribution >= LEAST * contribution.max(axis=1, keepdims=True)
    kept = np.where((contribution > 0) & enough & ~dull, contribution, -np.inf)
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
