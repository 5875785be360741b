"""The profiles of tables, saved models and runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import safetensors.numpy
from safetensors import SafetensorError

from anomalo.errors import ArtefactError
from anomalo.evaluation.comparison.profile import Profile
from anomalo.evaluation.comparison.profiling import compared_columns, profile, sample_rows
from anomalo.evaluation.comparison.tally import Counts, Tally
from anomalo.jobs.context import DataQualityMonitor, JobContext
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.out_of_core.row_sample import RowSample
from anomalo.pipeline.saved_model import load_profile
from anomalo.tabular.column import TABLE, Column, SchemaOptions, require_table
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema, infer

FILE = "profile.safetensors"
SEED = 0
"""Of the rows that are sampled."""
MOST_CELLS, MOST_ROWS = 2_000_000, 10_000
"""Cells and rows of the sample of a table that is compared at once, at most."""


def profile_of_source(
    context: JobContext, source: str, schema: Schema | None = None, options: SchemaOptions | None = None
) -> Profile:
    """Read a source once, and return its profile.

    Parameters
    ----------
    schema : Schema, optional
        How its cells are read: that of the table to compare it with.
    options : SchemaOptions, optional
        What the user decided about the columns, where there is no schema.

    Raises
    ------
    SourceError
        It cannot be read, or has no rows.
    SchemaError
        Its rows are not those of a table.
    """
    first, batches = _opened(context, source)
    guess = schema or infer(ParsedTable(pa.Table.from_batches([first])), options)
    names = set(first.schema.names)
    sampled = min(MOST_ROWS, max(MOST_CELLS // max(len(names), 1), 1))
    sample, tally = RowSample(sampled, SEED), Tally(guess, tuple(c for c in compared_columns(guess) if c.name in names))
    for batch in batches:
        sample.see(batch)
        tally.see(ParsedTable(batch))
        context.report_rows(sample.rows_seen, "rows read")
    table = ParsedTable(sample.result(0)[0])
    final = schema or infer(table, options)
    counted = {name: tally.counts[name] for name in _read_alike(guess, final) if name in tally.counts}
    return profile(table, final, sample.rows_seen, counted)


def profile_of_fit(table: ParsedTable, schema: Schema) -> Profile | None:
    """Return the profile of a training table, or of the sample of it that a fit has in memory; None for no table."""
    if schema.modality != TABLE:
        return None
    size = sample_rows(len(schema.columns))
    if table.rows <= size:
        return profile(table, schema, schema.rows)
    tally = Tally(schema, compared_columns(schema))
    if table.rows == schema.rows:
        tally.see(table)
    rows = np.sort(np.random.default_rng(SEED).choice(table.rows, size, replace=False))
    return profile(ParsedTable(table.table.take(pa.array(rows))), schema, schema.rows, tally.counts)


@dataclass
class ProfileMonitor:
    """Collects the profile of a table that a model reads batch by batch.

    Parameters
    ----------
    fitted : Fitted
        The model.
    """

    fitted: Fitted
    _sample: RowSample = field(init=False)

    def __post_init__(self) -> None:
        self._sample = RowSample(sample_rows(len(self.fitted.schema.columns)), SEED)

    def see(self, batch: pa.RecordBatch) -> None:
        """Add a batch."""
        self._sample.see(batch)

    def profile(self, quality: DataQualityMonitor) -> Profile:
        """Return the profile of all batches; `quality` has counted their cells."""
        counts = {
            column.name: Counts(quality.missing[column.name], quality.unreadable[column.name])
            for column in self.fitted.schema.features
        }
        table = ParsedTable(self._sample.result(0)[0])
        return profile(table, self.fitted.schema, self._sample.rows_seen, counts)


def write_profile(found: Profile, folder: Path) -> None:
    """Write a profile into the folder of a run."""
    (folder / FILE).write_bytes(safetensors.numpy.save(found.arrays()))


def read_profile(folder: Path) -> Profile | None:
    """Return the profile in the folder of a run; None if it has none.

    Raises
    ------
    ArtefactError
        It is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return Profile.restored(safetensors.numpy.load(path.read_bytes()))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ArtefactError(f"{path} is damaged: {error}; score the table again") from error


def profile_of_model(folder: Path) -> Profile | None:
    """Return the profile of a saved model's training table; None if it was saved without one.

    Raises
    ------
    ArtefactError
        The artefact is absent or damaged.
    """
    return load_profile(folder)


def _opened(context: JobContext, source: str) -> tuple[pa.RecordBatch, Iterator[pa.RecordBatch]]:
    batches = context.batches(source)
    first = require_table(source, next(batches))
    return first, chain([first], batches)


def _read_alike(first: Schema, second: Schema) -> list[str]:
    """Return the columns that two schemas read in the same way."""
    known = {column.name: column for column in first.columns}
    return [column.name for column in second.columns if _how(known.get(column.name)) == _how(column)]


def _how(column: Column | None) -> Column | None:
    return None if column is None else replace(column, why="", note="", role="feature")
