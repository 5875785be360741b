"""Reads the table of a fit: into memory where it fits, else to disk, with a sample in memory."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pyarrow as pa

from anomalo.errors import UsageError
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.out_of_core.large_table import LargeTable
from anomalo.pipeline.out_of_core.memory import PER_BYTE, memory_for_rows
from anomalo.pipeline.out_of_core.row_sample import SPARE, RowSample
from anomalo.pipeline.out_of_core.spool import Spool, writing
from anomalo.registry.registry import Registry
from anomalo.tabular.quantities import memory

HELD, HELD_SHARE = 20_000, 5
"""Rows that no model learns from, by which it is calibrated, and one of how many of the sample at most."""
MOST_SAMPLED = 1_000_000
"""Rows of the sample, at most: statistics of more are no better, and models that learn from it take longer."""
FEWEST_SAMPLED = 1_000
"""A fit that can hold fewer rows than this says nothing of a large table."""


@contextmanager
def table_or_large(
    batches: Iterable[pa.RecordBatch], folder: Path, config: FitConfig, registry: Registry, modality: str
) -> Iterator[list[pa.RecordBatch] | LargeTable]:
    """Read a source once: its batches, if a fit on them fits into memory; the files of others are deleted at the end.

    Parameters
    ----------
    batches : iterable of RecordBatch
        The source.
    folder : Path
        Where the rows may lie, in a folder of their own.
    config : FitConfig
        Its `max_memory` decides; without one every table fits.
    modality : str
        What the rows are.

    Raises
    ------
    OutputError
        The rows do not fit on the disk.
    UsageError
        The model, or `FEWEST_SAMPLED` rows, do not fit into memory.
    """
    held, size, left, rest = list[pa.RecordBatch](), 0, math.inf, iter(batches)
    for batch in rest:
        if not held and config.max_memory is not None:
            left = memory_for_rows(config, registry, batch.num_columns, modality)
        held.append(batch)
        size += batch.nbytes
        if size * PER_BYTE > left:
            break
    else:
        yield held
        return
    sampled = _sampled(left, size / max(sum(batch.num_rows for batch in held), 1))
    where = folder / "rows"
    with writing(where):
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
    try:
        yield _spooled(chain(_emptying(held), rest), Spool(where / "table.arrow"), RowSample(sampled, config.seed))
    finally:
        shutil.rmtree(where, ignore_errors=True)


def sampled_rows(
    config: FitConfig, registry: Registry, modality: str, columns: int, rows: int, row: float
) -> int | None:
    """Return how many rows of a table a fit has in memory: a sample's; None if it has all of them.

    Parameters
    ----------
    modality : str
        What the rows are.
    rows : int
        Those of the table.
    row : float
        Bytes of each, as it was read.

    Raises
    ------
    UsageError
        As `table_or_large`.
    """
    if config.max_memory is None:
        return None
    left = memory_for_rows(config, registry, columns, modality)
    return None if rows * row * PER_BYTE <= left else min(_sampled(left, row), rows)


def held_rows(sampled: int) -> int:
    """Return how many rows of a sample no model learns from."""
    return min(HELD, sampled // HELD_SHARE)


def _sampled(left: float, row: float) -> int:
    """Return how many rows, of so many bytes each, a sample may have."""
    found = min(int(left / PER_BYTE / row / SPARE), MOST_SAMPLED)
    if found < FEWEST_SAMPLED:
        more = FEWEST_SAMPLED * SPARE * PER_BYTE * row - left
        raise UsageError(f"--max-memory is too little for rows of {row:,.0f} bytes; give {memory(more)} more")
    return found


def _emptying(held: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches in order, and forget each."""
    held.reverse()
    while held:
        yield held.pop()


def _spooled(batches: Iterable[pa.RecordBatch], spool: Spool, sample: RowSample) -> LargeTable:
    for batch in batches:
        spool.add(batch)
        sample.see(batch)
    spool.close()
    return LargeTable(spool, *sample.result(held_rows(sample.size)))
