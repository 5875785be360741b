"""The cells of columns that no model reads, identifiers and free text, among the explained ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.pipeline.text_evidence import TextEvidence
from anomalo.tabular.cells import is_string


def with_texts(
    cells: pa.Table, evidence: TextEvidence, batch: pa.RecordBatch, rows: NDArray[np.intp], texts: NDArray[np.float64]
) -> pa.Table:
    """Return explained cells with those of columns of texts behind the others of each row.

    Parameters
    ----------
    cells : Table
        As `cell_tables.cells_table` has them: row by row, each with the same columns.
    batch : RecordBatch [n]
        The raw rows.
    rows : int [n]
        Their numbers in the input.
    texts : float64 [n, columns of text]
        What each adds to its row's score.
    """
    expected = evidence.suggestions(batch) if texts.any() else [[None] * len(rows) for _ in evidence.columns]
    lines = [
        pa.table(
            [
                pa.array(rows, pa.int64()),
                pa.array([name] * len(rows), pa.string()),
                pa.array(texts[:, at]),
                _observed(batch, name),
                pa.array(expected[at], pa.string()),
                pa.nulls(len(rows), pa.float64()),
                pa.nulls(len(rows), pa.float64()),
            ],
            schema=cells.schema,
        )
        for at, name in enumerate(evidence.columns)
    ]
    each = len(cells) // max(len(rows), 1)
    positions = [np.arange(len(cells)).reshape(len(rows), each)]
    first = len(cells) + np.arange(len(rows))[:, None]
    positions.append(first + len(rows) * np.arange(len(lines)))
    return pa.concat_tables([cells, *lines]).take(pa.array(np.concatenate(positions, axis=1).ravel()))


def _observed(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name not in batch.schema.names:
        return pa.nulls(batch.num_rows, pa.string())
    column = batch.column(name)
    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    texts = column.cast(pa.string())
    return pc.if_else(pc.equal(texts, ""), None, texts) if is_string(column.type) else texts
