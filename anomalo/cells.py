"""Cells as people read them: observed, expected and interval in the column's own words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.fitted import Fitted
from anomalo.plugin import Encoded

REASONS_PER_ROW = 5

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


def text(array: pa.Array) -> pa.Array:
    """Return an array as trimmed strings."""
    if pa.types.is_dictionary(array.type):
        array = pc.cast(array, array.type.value_type)
    return pc.utf8_trim_whitespace(pc.cast(array, pa.string()))


def cells_table(fitted: Fitted, batch: pa.RecordBatch, rows: NDArray[np.intp], data: Encoded) -> pa.Table:
    """Explain rows, one line for each cell.

    Parameters
    ----------
    batch : RecordBatch
        The raw rows.
    rows : int [n]
        Their numbers in the input.
    data : Encoded
        The same rows, encoded.
    """
    if not len(rows):
        return SCHEMA.empty_table()
    explained = fitted.explain(data)
    parts = []
    for block in data.layout.blocks:
        at = block.position
        missing = ~data.observed[:, at] & (data.values[:, at] == 0)
        observed = pc.if_else(pa.array(missing), None, text(batch.column(block.name)))
        columns = [
            pa.array(rows, pa.int64()),
            pa.array([block.name] * len(rows)),
            pa.array(explained.contribution[:, at]),
            observed,
            text(fitted.encoder.decode(explained.expected[:, at], at)),
            _nullable(explained.low[:, at]),
            _nullable(explained.high[:, at]),
        ]
        parts.append(pa.table(columns, schema=SCHEMA))
    order = np.arange(len(parts) * len(rows)).reshape(len(parts), len(rows)).T.ravel()
    return pa.concat_tables(parts).take(pa.array(order))


def _nullable(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))


def reasons(cells: pa.Table, rows: NDArray[np.intp]) -> dict[int, list[dict[str, Any]]]:
    """Return each explained row's strangest cells, largest contribution first."""
    columns = len(cells) // max(len(rows), 1)
    contribution = cells["contribution"].to_numpy().reshape(len(rows), columns)
    order = np.argsort(-contribution, axis=1, kind="stable")[:, :REASONS_PER_ROW]
    lines = cells.select(["column", "contribution", "observed", "expected"])
    found: dict[int, list[dict[str, Any]]] = {}
    for at, row in enumerate(rows):
        picked = lines.take(pa.array(at * columns + order[at])).to_pylist()
        found[int(row)] = [line for line in picked if line["contribution"] > 0]
    return found
