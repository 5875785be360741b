"""A table written with cells replaced, and what each of them held before."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from anomalo.tabular.writing.destination import Sink
from anomalo.tabular.writing.replacing import Replacements, replaced, texts_of

AUDIT = "audit.parquet"
"""The replaced cells in the run's folder."""
REPLACED = pa.schema([("row", pa.int64()), ("column", pa.string()), ("before", pa.string()), ("after", pa.string())])
"""Texts to the character; null for a missing cell."""


def write_replaced(batches: Iterable[pa.RecordBatch], changes: dict[str, Replacements], writer: Sink) -> pa.Table:
    """Write a table with cells replaced, and return what they held before and after."""
    first, audit = 0, []
    for batch in batches:
        audit += audited(batch, first, changes)
        writer.write(replaced(batch, first, changes))
        first += batch.num_rows
    return pa.concat_tables(audit) if audit else REPLACED.empty_table()


def audited(batch: pa.RecordBatch, first: int, changes: dict[str, Replacements]) -> list[pa.Table]:
    """Return the cells of a batch that are replaced, as `REPLACED` has them."""
    tables = []
    for name, cells in changes.items():
        rows, after = cells.between(first, batch.num_rows)
        before = texts_of(batch.column(name), rows)
        columns = [pa.array(rows + first), pa.array([name] * len(rows)), pa.array(before), pa.array(after)]
        tables.append(
            pa.table([column.cast(kind) for column, kind in zip(columns, REPLACED.types, strict=True)], REPLACED.names)
        )
    return tables
