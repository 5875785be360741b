"""Rows of a run of `score` that were explained after it, kept in its folder, each in the form of the explained ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anomalo.errors import UsageError
from anomalo.jobs.part import Part
from anomalo.jobs.scoring.neighbours import FILE, SCHEMA, Neighbourhood, stored_normal_rows
from anomalo.jobs.scoring.numbered import numbered
from anomalo.persistence.atomic import atomic_folder
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.writing.writer import TableWriter
from anomalo.workspace.workspace import RunRecord, Workspace

LATER = "explained"
NEARLY = 1e-6
"""Scores that differ by no more than this part of them are equal."""


def explained_folder(run: Path, row: int) -> Path:
    """Return the folder that holds the cells of an explained row of a run: its own, or one for this row."""
    later = run / LATER / str(row)
    return later if later.exists() else run


def run_of(store: Workspace, identity: str, model: str) -> RunRecord:
    """Return the run of `score` that an explanation is to be kept in.

    Raises
    ------
    UsageError
        There is none, or it is of another verb or model.
    """
    run = store.run(identity)
    if run.verb != "score" or run.model != model:
        raise UsageError(f"--run {identity} is a run of {run.verb} with {run.model}; give one of score with {model}")
    return run


def keep(
    run: RunRecord,
    fitted: Fitted,
    part: Part,
    cells: pa.Table,
    score: float,
    beside: Callable[[Path], object] = lambda folder: None,
) -> None:
    """Keep the explanation of one row in the folder of a run; what is there stays.

    Parameters
    ----------
    beside : callable
        Writes what else belongs to it into its folder.

    Raises
    ------
    UsageError
        In the run, the row has another score: the table is no longer the one that was scored.
    """
    row = int(part.rows[0])
    _require_same(run, row, score)
    if explained_folder(run.path, row) != run.path:
        return
    with atomic_folder(run.path / LATER / str(row)) as folder:
        _write(folder / "cells.parquet", cells.to_batches())
        _write(folder / "rows.parquet", [numbered(part)])
        beside(folder)
        normal = stored_normal_rows(run.path, part.batch.schema)
        if normal is not None and part.data is not None:
            around = Neighbourhood(normal.rows, normal.encoded(fitted, strict=False))
            _write(folder / FILE, around.table(part.rows, part.data).to_batches())


def _write(path: Path, batches: list[pa.RecordBatch]) -> None:
    with TableWriter(path, SCHEMA if path.name == FILE else None) as writer:
        for batch in batches:
            writer.write(batch)


def _require_same(run: RunRecord, row: int, score: float) -> None:
    found = pq.read_table(run.path / "scores.parquet", columns=["score"], filters=[("row", "==", row)])["score"]
    known = found.to_pylist()
    if not known or not np.isclose(known[0], score, rtol=NEARLY, atol=NEARLY):
        before = f"{known[0]:.6g}" if known else "none"
        raise UsageError(
            f"row {row} of {run.source} has the score {score:.6g}, in run {run.id} {before}: the table has changed "
            "since; score it again"
        )
