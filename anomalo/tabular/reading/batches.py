"""Batches of bounded size, and what a source's batches are."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from anomalo.tabular.column import read_notes

BATCH = 32_768
"""Rows in one batch, at most."""


def slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield a batch in pieces of bounded size."""
    for start in range(0, batch.num_rows, BATCH):
        yield batch.slice(start, BATCH)


def is_text(schema: pa.Schema) -> bool:
    """Whether batches of this Arrow schema come from a text file."""
    return bool(read_notes(schema).get("text"))
