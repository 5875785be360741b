"""Take back what a cleaning replaced: the cells of its repaired table hold again what they held before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomalo.errors import SourceError, UsageError
from anomalo.jobs.cleaning.applying import AUDIT, write_replaced
from anomalo.jobs.context import JobContext
from anomalo.tabular.cells import whole
from anomalo.tabular.writing.destination import Output, alone
from anomalo.tabular.writing.replacing import by_column, texts_of
from anomalo.workspace.workspace import RunRecord


@dataclass(frozen=True)
class Undone:
    """What was taken back.

    Attributes
    ----------
    run : RunRecord
        The stored run.
    table : Path or Address
        The table with the former cells.
    cells, kept : int
        Cells that hold again what they held, and those that do not hold the replacement any more: they stay as they
        are.
    """

    run: RunRecord
    table: Output
    cells: int
    kept: int


def undo(context: JobContext, identity: str, *, output: Output | None = None) -> Undone:
    """Take back the replacements of the run `identity` in its repaired table.

    Parameters
    ----------
    output : Path or Address, optional
        Where to write the table; by default the repaired table itself is written anew.

    Raises
    ------
    UsageError
        There is no such run, or it replaced nothing.
    SourceError
        The repaired table is not there any more, or has other columns or rows.
    OutputError
        The table cannot be written.
    """
    record = context.store.run(identity)
    if record.verb != "clean" or record.summary.get("apply") is None:
        raise UsageError(f"run {identity} replaced no cells; expected a run of anomalo clean --apply")
    path = _repaired(record)
    target = output or path
    if output is not None:
        context.check_output(output, str(path))
    table = context.table(str(path))
    audit = pq.read_table(record.path / AUDIT)
    _check(table, audit, path, record)
    still = _still(table, audit)
    lines = audit.filter(pa.array(still))
    changes = by_column(*(lines[name].to_pylist() for name in ("row", "column", "before")))

    def write(folder: Path) -> dict[str, Any]:
        with context.writer(target, table.schema) as writer:
            write_replaced(context.read(table), changes, writer)
        return {"undone": identity, "cells": len(lines), "kept": len(audit) - len(lines), "output": str(target)}

    with alone(target):
        run = context.store.add_run("undo", write, model=None, source=str(path), summary=context.read_facts)
    context.registry.run_saved(context.store, run.id)
    return Undone(run, target, len(lines), len(audit) - len(lines))


def _repaired(record: RunRecord) -> Path:
    output = record.summary["output"]
    found = sorted(record.path.glob("repaired.*")) if output is None else [Path(output)]
    if not found or not found[0].is_file():
        raise SourceError(f"the repaired table of run {record.id} is not in {output or record.path} any more")
    return found[0]


def _check(table: pa.Table, audit: pa.Table, path: Path, record: RunRecord) -> None:
    absent = sorted(set(audit["column"].to_pylist()) - set(table.schema.names))
    if absent or table.num_rows != record.summary["rows"]:
        other = f"column {absent[0]!r} is absent" if absent else f"it has {table.num_rows:,} rows"
        raise SourceError(
            f"{path} is not the table that run {record.id} wrote: {other}; it had {record.summary['rows']:,} rows "
            "and all columns that were cleaned; nothing was changed"
        )


def _still(table: pa.Table, audit: pa.Table) -> NDArray[np.bool_]:
    """Return which of the replaced cells still hold the replacement."""
    rows, columns = audit["row"].to_numpy(), np.array(audit["column"].to_pylist(), dtype=object)
    after = np.array([text or None for text in audit["after"].to_pylist()], dtype=object)
    still = np.zeros(len(audit), dtype=np.bool_)
    for name in set(columns):
        at = np.flatnonzero(columns == name)
        here = texts_of(whole(table[name]), rows[at])
        still[at] = [(now or None) == then for now, then in zip(here, after[at], strict=True)]
    return still
