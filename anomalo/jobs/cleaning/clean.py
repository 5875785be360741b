"""Find the cells of a table that are probably wrong, and replace those whose suggestion is probable enough."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.cleaning.changes import Changes, changes_of
from anomalo.cleaning.cleaner import Cleaned, Cleaner
from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.learning.labels import Labels
from anomalo.cleaning.listing import CELLS
from anomalo.errors import SchemaError, UsageError, did_you_mean
from anomalo.jobs.cleaning.applying import AUDIT, write_replaced
from anomalo.jobs.cleaning.decided import Learned, decided_cells, learned
from anomalo.jobs.context import JobContext
from anomalo.jobs.imputing.impute import cells_beside
from anomalo.pipeline.characters import TRIGRAMS, spelling_by
from anomalo.pipeline.saved_cleaner import load_cleaner, save_cleaner
from anomalo.tabular.cells import is_plain
from anomalo.tabular.quantities import count
from anomalo.tabular.reading.batches import is_text
from anomalo.tabular.writing.destination import Output, Sink, alone
from anomalo.workspace.workspace import ModelRecord, RunRecord

FILE = "cells.parquet"
"""The suspected cells in the run's folder."""
EXAMPLES = 3
"""So many changes of a column are given as a result."""
TOP = 10
"""So many of the most probable cells are given as a result."""


@dataclass(frozen=True)
class ColumnOfCells:
    """What was found in one column.

    Attributes
    ----------
    column : str
        Its name.
    cells, suggested, applied : int
        Suspected cells, those with a suggestion, and those that were replaced.
    kinds : dict of str to int
        The kinds of error, the most frequent first.
    examples : list of dict
        The most frequent changes, each by its most probable cell as `listing.CELLS` has it, with `cells`, their number.
    """

    column: str
    cells: int
    suggested: int
    applied: int
    kinds: dict[str, int]
    examples: list[dict[str, Any]]


@dataclass(frozen=True)
class CleanResult:
    """The result of a cleaning.

    Attributes
    ----------
    run : RunRecord
        The stored run.
    cells : Path or Address
        The file with the suspected cells.
    table : Path, Address or None
        The repaired table, if it was asked for.
    columns : list of ColumnOfCells
        Those with suspected cells, most of them first.
    top : list of dict
        The most probable cells, as `listing.CELLS` has them.
    warnings : tuple of str
        Plain sentences.
    """

    run: RunRecord
    cells: Output
    table: Output | None
    columns: list[ColumnOfCells]
    top: list[dict[str, Any]]
    warnings: tuple[str, ...]


def clean(
    context: JobContext,
    source: str,
    *,
    output: Output | None = None,
    apply: float | None = None,
    labels: str | None = None,
    decided: bool = False,
    name: str | None = None,
    reference: str | None = None,
    model: str = TRIGRAMS,
    drop: tuple[str, ...] = (),
    safe_csv: bool = False,
) -> CleanResult:
    """Find the suspected cells of `source`, and store them as a run.

    Parameters
    ----------
    output : Path or Address, optional
        Where to write the list of suspected cells or, with `apply`, the repaired table, and the list beside it.
    apply : float, optional
        Replace cells whose suggestion is right with at least this probability.
    labels : str, optional
        A table of answers about some cells, to learn from: see `Labels.of_table`.
    decided : bool
        Learn from decisions about cells of earlier runs of this table: see `decided_cells`.
    name : str, optional
        Save the fitted cleaner as the next version of this name.
    reference : str, optional
        The saved cleaner to use, rather than to fit one.
    model : str
        `TRIGRAMS`, or a model of texts, such as "strings", that says with them how improbable characters are.
    drop : tuple of str
        Columns that are left out.
    safe_csv : bool
        Write a file, if it is CSV, so that a spreadsheet finds no formulas in it.

    Raises
    ------
    SourceError, OutputError
        The table cannot be read, or the output not written.
    UsageError
        `apply` is no probability, a column does not exist, there is no such cleaner, or nothing was decided.
    SchemaError
        A column of the saved cleaner is not there.
    """
    _check(context, source, output, apply, name)
    started = time.perf_counter()
    spelling = spelling_by(model, context.registry)
    saved = None if reference is None else load_cleaner(context.store.model(reference), context.registry)
    table = context.table(source)
    names, warnings = readable_columns(table, drop, None if saved is None else saved.reference.names)
    coded = CodedTable.of(table.select(names))
    taught = learned(decided_cells(context.store, source), coded) if decided else None
    answers = _answers(context, labels, coded) if taught is None else taught.labels
    cleaner, found = Cleaner.fit(coded, answers, spelling) if saved is None else (saved, saved.clean(coded))
    took = time.perf_counter() - started
    record = None if name is None else save_cleaner(context.store, cleaner, model, name, source, took)
    used = record if reference is None else context.store.model(reference)
    return _Job(context, table, found, warnings, output, apply, safe_csv, taught).stored(source, used, took)


def _answers(context: JobContext, labels: str | None, table: CodedTable) -> Labels | None:
    return None if labels is None else Labels.of_table(CodedTable.of(context.table(labels)), table)


def _check(context: JobContext, source: str, output: Output | None, apply: float | None, name: str | None) -> None:
    """Check what can be before a long table is read."""
    if apply is not None and not 0 < apply <= 1:
        raise UsageError(f"apply={apply:g}: expected a probability above 0 and at most 1, such as 0.9")
    if name is not None:
        context.store.check_name(name)
    context.check_output(output, source)
    if isinstance(output, Path) and apply is not None:
        context.check_output(cells_beside(output), source)
    context.store.prepare()


@dataclass
class _Job:
    """One cleaning, from what is suspected to the run's folder and the output."""

    context: JobContext
    table: pa.Table
    found: Cleaned
    warnings: list[str]
    output: Output | None
    apply: float | None
    safe_csv: bool
    taught: Learned | None = None

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all files, and return the run's summary."""
        self.lines = self.found.lines()
        self.name = f"repaired{'.csv' if is_text(self.table.schema) else '.parquet'}"
        changes = self._apply(folder)
        self.columns = _by_column(self.lines, changes.applied)
        self._list(folder, self.lines.append_column("applied", pa.array(changes.applied)))
        if changes.unwritable:
            self.warnings.append(
                f"{changes.unwritable:,} suggestions cannot be written in their column's type and were not applied"
            )
        if self.taught is not None and self.taught.changed:
            self.warnings.append(
                f"{count(self.taught.changed, 'decision')} left out: their cells hold something else by now, or are "
                "not read"
            )
        flagged = int(pc.sum(pc.greater(self.lines["probability"], self.found.suspects.threshold)).as_py() or 0)
        return {
            "rows": len(self.found.rows),
            "columns": len(self.found.suspects.names),
            "cells": flagged,
            "tokens": len(self.lines) - flagged,
            "suggested": len(self.lines) - self.lines["suggestion"].null_count,
            "threshold": self.found.suspects.threshold,
            "rules": dict(Counter(self.lines["rule"].drop_null().to_pylist()).most_common()),
            "dependencies": [vars(rule) for rule in self.found.dependencies()],
            "apply": self.apply,
            "applied": int(changes.applied.sum()),
            "worst": [vars(column) for column in self.columns],
            "output": None if self.output is None else str(self.output.absolute()),
            "warnings": self.warnings,
        } | ({} if self.taught is None else {"learned": self.taught.facts()})

    def _list(self, folder: Path, lines: pa.Table) -> None:
        outputs: list[Output] = [folder / FILE]
        if self.output is not None and self.apply is None:
            outputs.insert(0, self.output)
        elif isinstance(self.output, Path):
            outputs.insert(0, cells_beside(self.output))
        for output in outputs:
            with self.context.writer(output, lines.schema, safe_csv=self.safe_csv) as writer:
                write_table(writer, lines)

    def _apply(self, folder: Path) -> Changes:
        """Write the repaired table if it was asked for, and what was replaced."""
        if self.apply is None:
            return changes_of(self.lines, math.inf, self.table.schema)
        found = changes_of(self.lines, self.apply, self.table.schema)
        batches = self.context.read(self.table)
        with self.context.writer(
            self.output or folder / self.name, self.table.schema, safe_csv=self.safe_csv
        ) as writer:
            audit = write_replaced(batches, found.replacements, writer)
        with self.context.writer(folder / AUDIT, audit.schema) as writer:
            write_table(writer, audit)
        return found

    def stored(self, source: str, model: ModelRecord | None, seconds: float) -> CleanResult:
        """Write all files as a run that took so long to find what it writes, and return what was found."""
        store = self.context.store
        facts = self.context.read_facts
        with alone(self.output):
            run = store.add_run(
                "clean",
                lambda folder: self.write(folder) | self.context.facts(),
                model=model,
                source=source,
                seconds=seconds,
                summary=facts,
            )
        self.context.registry.run_saved(store, run.id)
        table = None if self.apply is None else self.output or run.path / self.name
        listing = self.output if self.output is not None and self.apply is None else run.path / FILE
        top = self.lines.slice(0, TOP).to_pylist()
        return CleanResult(run, listing, table, self.columns, top, tuple(self.warnings))


def write_table(writer: Sink, table: pa.Table) -> None:
    """Write a whole table."""
    for batch in table.to_batches():
        writer.write(batch)


def readable_columns(
    table: pa.Table, drop: tuple[str, ...], needed: list[str] | None = None
) -> tuple[list[str], list[str]]:
    """Return the columns to look at, and a sentence for each that cannot be.

    Parameters
    ----------
    table : Table
        What was read.
    drop : tuple of str
        Columns that are left out.
    needed : list of str, optional
        The columns of a fitted cleaner, which are taken and no others.

    Raises
    ------
    UsageError
        A column to drop does not exist, or none is left.
    SchemaError
        A column that is needed is not there.
    """
    known = table.schema.names
    for name in drop:
        if name not in known:
            raise UsageError(f"no column is named {name!r}{did_you_mean(name, known)}")
    for name in needed or ():
        if name not in known:
            raise SchemaError(f"column {name!r} is missing, which the cleaner reads{did_you_mean(name, known)}")
    names = needed if needed is not None else [name for name in known if name not in drop]
    plain = [name for name in names if is_plain(table.schema.field(name).type)]
    if not plain:
        raise UsageError("no column is left to be cleaned; drop fewer columns")
    others = [name for name in names if name not in plain]
    return plain, [
        f"column {name!r} holds {table.schema.field(name).type}, not single values: it is left out" for name in others
    ]


def _by_column(lines: pa.Table, applied: np.ndarray) -> list[ColumnOfCells]:
    """Return what was found in each column, those with most cells first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line, changed in zip(lines.to_pylist(), applied.tolist(), strict=True):
        found.setdefault(line["column"], []).append(line | {"applied": changed})
    columns = [
        ColumnOfCells(
            name,
            len(cells),
            sum(cell["suggestion"] is not None for cell in cells),
            sum(cell["applied"] for cell in cells),
            dict(Counter(cell["kind"] for cell in cells).most_common()),
            _examples(cells),
        )
        for name, cells in found.items()
    ]
    return sorted(columns, key=lambda column: (-column.cells, column.column))


def _examples(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the most frequent changes of a column, whose cells are given from the most probable one on."""
    change = Counter((cell["observed"], cell["suggestion"]) for cell in cells)
    first = {(cell["observed"], cell["suggestion"]): cell for cell in reversed(cells)}
    return [
        {**{name: first[key][name] for name in CELLS.names}, "cells": often}
        for key, often in change.most_common(EXAMPLES)
    ]
