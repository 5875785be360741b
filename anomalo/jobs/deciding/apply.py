"""Write a table with the cells that people accepted or edited, all others as they were, and note who decided what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.errors import SourceError, UsageError
from anomalo.jobs.cleaning.applying import AUDIT, audited
from anomalo.jobs.context import JobContext
from anomalo.jobs.deciding.audit import Chosen, WithNotes, notes
from anomalo.jobs.deciding.edited import is_missing_text, schema_of
from anomalo.jobs.deciding.suggestions import suggestions_of
from anomalo.pipeline.explaining.expected_cells import text
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.batches import is_text
from anomalo.tabular.schema import Schema
from anomalo.tabular.writing.destination import Output, Sink, alone
from anomalo.tabular.writing.replacing import Replacements, by_column, replaced, writable
from anomalo.workspace.decisions import Decided
from anomalo.workspace.workspace import RunRecord


@dataclass(frozen=True)
class Applied:
    """What was written.

    Attributes
    ----------
    run : RunRecord
        The stored run; its summary counts accepted and edited cells, in all and by column.
    table : Path or Address
        The table.
    audit : Path
        The file with a line for each changed cell.
    """

    run: RunRecord
    table: Output
    audit: Path


def apply(
    context: JobContext,
    identity: str,
    *,
    output: Output | None = None,
    audit: str | None = None,
    safe_csv: bool = False,
) -> Applied:
    """Write the table of the run `identity` with what was decided about its suggestions, and store that as a run.

    Parameters
    ----------
    output : Path or Address, optional
        Where to write the table; by default into the run's folder.
    audit : str, optional
        The name of a further column that says in each changed row which cells were changed, by whom and when.
    safe_csv : bool
        Write a file, if it is CSV, so that a spreadsheet finds no formulas in it.

    Raises
    ------
    UsageError
        There is no such run, it suggests nothing, no cell is accepted or edited, or a value cannot be written.
    SourceError
        The table cannot be read, or is not as it was when the run read it.
    OutputError
        The table cannot be written.
    """
    record = context.store.run(identity)
    chosen = _chosen(context, record)
    context = replace(context, reading=ReadOptions.from_json(record.summary.get("reading")))
    _check_source(record)
    context.check_output(output, record.source)
    job = _Job(context, record, chosen, output, audit, safe_csv)
    model = next((one for one in context.store.models() if one.reference == record.model), None)
    with alone(output):
        run = context.store.add_run(
            "apply",
            lambda folder: job.write(folder) | context.facts(),
            model=model,
            source=record.source,
            summary=context.read_facts,
        )
    context.registry.run_saved(context.store, run.id)
    return Applied(run, output or run.path / job.name, run.path / AUDIT)


def _chosen(context: JobContext, record: RunRecord) -> Chosen:
    """Return the suggestions that were accepted or edited, and by which decisions."""
    try:
        found = suggestions_of(record)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise SourceError(f"the files of run {record.id} are missing or damaged; do it again") from error
    decided = Decided.of(context.store.decisions.of(record.id), len(found))
    lines = np.flatnonzero(decided.which("edited") | (decided.which("accepted") & found["offered"].to_numpy()))
    if not len(lines):
        raise UsageError(
            f"no cell of run {record.id} is accepted or edited; decide about its cells on the dashboard's page Repairs"
        )
    return Chosen.of(found, lines, decided)


def _check_source(record: RunRecord) -> None:
    """Refuse a source that cannot be found again: standard input, or a name without its folder."""
    if not ("://" in record.source or "::" in record.source or Path(record.source).is_absolute()):
        raise SourceError(
            f"the table of run {record.id} cannot be read again: it is recorded as {record.source!r}; do {record.verb} "
            "again with the file's path"
        )


@dataclass
class _Job:
    """One table, from the source to the run's folder and the output."""

    context: JobContext
    record: RunRecord
    chosen: Chosen
    output: Output | None
    audit: str | None
    safe_csv: bool

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all files, and return the run's summary."""
        batches = self.context.batches(self.record.source)
        first = next(batches)
        self._check(first.schema)
        self.name = f"repaired{'.csv' if is_text(first.schema) else '.parquet'}"
        like = first.schema if self.audit is None else first.schema.append(pa.field(self.audit, pa.string()))
        with self.context.writer(self.output or folder / self.name, like, safe_csv=self.safe_csv) as writer:
            rows = self._write(chain([first], batches), writer)
            self._check_rows(rows)
        with self.context.writer(folder / AUDIT, self._audit.schema) as writer:
            for batch in self._audit.to_batches():
                writer.write(batch)
        what = self.chosen.what
        return {
            "of": self.record.id,
            "rows": rows,
            "cells": len(what),
            "accepted": what.count("accepted"),
            "edited": what.count("edited"),
            "replaced": dict(self.chosen.counts()),
            "audit": self.audit,
            "output": None if self.output is None else str(self.output.absolute()),
        }

    def _check(self, schema: pa.Schema) -> None:
        """Check, before anything is written, that the table has the columns, and that they can hold the values."""
        if self.audit is not None and (not self.audit.strip() or self.audit in schema.names):
            raise UsageError(f"the table has a column {self.audit!r} already; give the audit another name")
        for name, lines in self.chosen.by_column().items():
            if name not in schema.names:
                raise SourceError(f"{self._source} has no column {name!r} any more, which {self._since}")
            after = [self.chosen.after[line] for line in lines]
            can = writable(after, schema.field(name).type)
            if not can.all():
                bad = int(np.argmin(can))
                raise UsageError(
                    f"{after[bad]!r} cannot be written into row {self.chosen.rows[lines[bad]]:,} of column {name!r}, "
                    f"which holds {schema.field(name).type}; edit or reject it"
                )

    def _write(self, batches: Iterator[pa.RecordBatch], writer: Sink) -> int:
        """Write the table, and keep what the cells held; returns the number of rows."""
        chosen, schema, first = self.chosen, schema_of(self.context, self.record), 0
        changes = by_column(chosen.rows.tolist(), chosen.columns, chosen.after)
        expected = by_column(chosen.rows.tolist(), chosen.columns, chosen.before)
        sink = writer if self.audit is None else WithNotes(writer, self.audit, notes(chosen, self.record))
        audit: list[pa.Table] = []
        for batch in batches:
            self._check_cells(batch, first, expected, schema)
            audit += audited(batch, first, changes)
            sink.write(replaced(batch, first, changes))
            first += batch.num_rows
            self.context.report_rows(first)
        self._audit = chosen.with_decisions(pa.concat_tables(audit), self.record)
        return first

    def _check_cells(
        self, batch: pa.RecordBatch, first: int, expected: dict[str, Replacements], schema: Schema | None
    ) -> None:
        """Check that the cells hold what the run read there."""
        for name, cells in expected.items():
            rows, before = cells.between(first, batch.num_rows)
            now = text(batch.column(name).take(pa.array(rows))).to_pylist()
            for row, found, then in zip(rows.tolist(), now, before, strict=True):
                if not _same(found, then, name, schema):
                    raise SourceError(
                        f"{self._source} has changed: row {first + row:,} of column {name!r} holds "
                        f"{_shown(found)}, and held {_shown(then)} when {self._since}; nothing was written"
                    )

    def _check_rows(self, rows: int) -> None:
        then = self.record.summary.get("rows", rows)
        if rows != then:
            raise SourceError(
                f"{self._source} has {rows:,} rows, and had {then:,} when {self._since}; nothing was written"
            )

    @property
    def _source(self) -> str:
        return Path(self.record.source).name

    @property
    def _since(self) -> str:
        return f"run {self.record.id} read it"


def _same(found: str | None, then: str | None, name: str, schema: Schema | None) -> bool:
    """Whether a cell holds the text that a run has seen there, or a missing value as it did."""
    if not found or not then:
        column = None if schema is None else next((one for one in schema.columns if one.name == name), None)
        absent = not found or column is None or (schema is not None and is_missing_text(column, found, schema.reading))
        return not then and absent
    return found == then or _number(found) == _number(then) is not None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shown(text: str | None) -> str:
    return repr(text) if text else "a missing value"
