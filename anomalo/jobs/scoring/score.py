"""Score a table: every row's score and p-value, alerts, and reasons for the most anomalous rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.calibration.results import Explained
from anomalo.calibration.thresholds import Threshold, most_anomalous
from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.jobs.context import JobContext, Opened
from anomalo.jobs.scoring.alerts import ScoredTable, score_table
from anomalo.jobs.scoring.candidates import Candidates
from anomalo.jobs.sharding import Found, Part, Rows, Work, stored
from anomalo.pipeline.cell_tables import SCHEMA, absent, explained_cells, shown_cells
from anomalo.pipeline.explaining.reasons import reasons
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.writing.writer import TableWriter
from anomalo.workspace.workspace import RunRecord

ROWS = 32_768
"""Rows in one written batch."""
TOP = 10
"""How many of the most anomalous rows a result lists."""
CELLS = 1_000_000
"""Cells that are explained at a time."""
EXPLAINED = ("contribution", "expected", "low", "high", "moments", "near", "broken")


@dataclass(frozen=True)
class ScoreResult:
    """The result of scoring.

    Attributes
    ----------
    run : RunRecord
        The stored run.
    score, p_value : float64 [n]
        In the input's row order.
    alert : bool [n]
        Which rows are alerts.
    top : list of dict
        The most anomalous rows: `row`, `score`, `p_value`, `alert`, `reasons`.
    warnings : tuple of str
        Plain sentences.
    """

    run: RunRecord
    score: Scores
    p_value: Scores
    alert: Mask
    top: list[dict[str, Any]]
    warnings: tuple[str, ...]


def score(
    context: JobContext,
    source: str,
    reference: str | Opened,
    *,
    output: Path | None = None,
    threshold: Threshold | None = None,
    explain: int = 1000,
    safe_csv: bool = False,
    device: str = "auto",
    resume: bool = False,
) -> ScoreResult:
    """Score `source` with the saved model `reference`, store the run and write `output`.

    While it runs, its shards are kept in the workspace; a job that was killed continues from them with `resume`, and
    writes the same files.

    Parameters
    ----------
    explain : int
        Reasons are given for alerts and for this many of the most anomalous rows.
    safe_csv : bool
        Write `output`, if it is CSV, so that a spreadsheet finds no formulas in it.

    It raises what `stored` does.
    """

    def create(work: Work) -> _Job:
        return _Job(work, output, threshold or Threshold(), explain, safe_csv)

    return stored(context, "score", source, reference, create, output=output, device=device, resume=resume)


@dataclass
class _Job:
    """One scoring, from the source to the run's folder and the output."""

    work: Work
    output: Path | None
    threshold: Threshold
    explain: int
    safe_csv: bool

    @property
    def fitted(self) -> Fitted:
        return self.work.fitted

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all files, and return the run's summary."""
        first = score_table(self.work, self.threshold, self.explain)
        self.order = most_anomalous(first.p_value, first.score)
        explained = np.union1d(np.flatnonzero(first.alert), self.order[: self.explain])
        self.rows = _Rows(first, self._reasons(folder, explained, first.candidates), explained, self._id())
        self._write_rows([path for path in (self.output, folder / "scores.parquet") if path is not None])
        return {
            "rows": len(first.alert),
            "alerts": int(first.alert.sum()),
            "threshold": str(self.threshold),
            "explained": len(explained),
            "output": None if self.output is None else str(self.output.absolute()),
            "warnings": first.warnings,
        }

    def result(self, run: RunRecord) -> ScoreResult:
        """Return the result of `write`."""
        first, warnings = self.rows.first, (*self.rows.first.warnings, *self.work.warnings)
        top = [self.rows.row(int(row)) for row in self.order[:TOP]]
        return ScoreResult(run, first.score, first.p_value, first.alert, top, warnings)

    def _write_rows(self, paths: list[Path]) -> None:
        """Write the rows to files, of which the first appears last."""
        with ExitStack() as stack:
            writers = [
                stack.enter_context(TableWriter(path, owner=self.work.owner, safe_csv=self.safe_csv)) for path in paths
            ]
            for batch in self.rows.batches():
                for writer in writers:
                    writer.write(batch)

    def _reasons(self, folder: Path, rows: Rows, candidates: Candidates) -> dict[int, list[dict[str, Any]]]:
        """Explain rows, write them and their cells, and return the reasons."""
        why: dict[int, list[dict[str, Any]]] = {}
        with (
            TableWriter(folder / "cells.parquet", SCHEMA) as kept,
            TableWriter(folder / "rows.parquet", _numbered(self.work.schema)) as raw,
        ):
            for part in self._explained(rows, candidates):
                columns = [pa.array(part.rows), *part.batch.columns]
                raw.write(pa.RecordBatch.from_arrays(columns, schema=_numbered(part.batch.schema)))
                explained = Explained(*(part.arrays[name] for name in EXPLAINED))
                cells = explained_cells(self.fitted, part.batch, part.rows, explained, part.arrays["missing"])
                shown = shown_cells(self.fitted.encoder.layout)
                near = explained.near.reshape(len(part.rows), -1)[:, shown]
                why |= reasons(cells, part.rows, near)
                for batch in cells.to_batches():
                    kept.write(batch)
                self.work.context.report_rows(len(why), "rows explained")
        return why

    def _explained(self, rows: Rows, candidates: Candidates) -> Iterator[Part]:
        """Yield the rows whose numbers are given, ascending, explained a part at a time."""
        most = max(CELLS // max(len(self.fitted.schema.features), 1), 1)
        return self.work.found("cells", self._explain, candidates.parts(rows, most))

    def _explain(self, data: Encoded, rows: Rows) -> Found:
        explained = self.fitted.explain(data)
        return {name: getattr(explained, name) for name in EXPLAINED} | {"missing": absent(data)}, {}

    def _id(self) -> str | None:
        name = self.fitted.schema.id
        return None if name is None else free_name(name, COLUMNS)


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return a column's name, with underscores at its end where it is taken.

    Examples
    --------
    >>> free_name("score", ["row", "score"])
    'score_'
    """
    names = set(taken)
    while name in names:
        name += "_"
    return name


def _numbered(schema: pa.Schema) -> pa.Schema:
    """Put a column for the rows' numbers before the others."""
    fields = [field.with_name(free_name(field.name, ["row"])) for field in schema]
    return pa.schema([pa.field("row", pa.int64()), *fields], schema.metadata)


@dataclass(frozen=True)
class _Rows:
    """The scores as they are written."""

    first: ScoredTable
    why: dict[int, list[dict[str, Any]]]
    explained: Rows
    id: str | None

    def row(self, row: int) -> dict[str, Any]:
        """Return one row as JSON-ready values."""
        found: dict[str, Any] = {"row": row}
        if self.first.ids is not None and self.id is not None:
            value = self.first.ids[row].as_py()
            found[self.id] = value if isinstance(value, int | str | None) else str(value)
        return found | {
            "score": float(self.first.score[row]),
            "p_value": float(self.first.p_value[row]),
            "alert": bool(self.first.alert[row]),
            "reasons": self.why.get(row, []),
        }

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows in the input's order."""
        for start in range(0, len(self.first.alert), ROWS):
            rows = slice(start, min(start + ROWS, len(self.first.alert)))
            columns = {"row": pa.array(np.arange(rows.start, rows.stop, dtype=np.int64))}
            if self.first.ids is not None and self.id is not None:
                columns[self.id] = self.first.ids[rows].combine_chunks()
            columns["score"] = pa.array(self.first.score[rows])
            columns["p_value"] = pa.array(self.first.p_value[rows])
            columns["alert"] = pa.array(self.first.alert[rows])
            columns["reasons"] = self._reasons(rows)
            yield pa.RecordBatch.from_pydict(columns)

    def _reasons(self, rows: slice) -> pa.ListArray:
        """Return the reasons of consecutive rows, most of which have none."""
        here = self.explained[slice(*np.searchsorted(self.explained, [rows.start, rows.stop]))]
        lists = [self.why[row] for row in here.tolist()]
        lengths = np.zeros(rows.stop - rows.start, dtype=np.int32)
        lengths[here - rows.start] = [len(reasons) for reasons in lists]
        offsets = np.append(np.int32(0), np.cumsum(lengths, dtype=np.int32))
        values = pa.array([reason for reasons in lists for reason in reasons], REASONS.value_type)
        return pa.ListArray.from_arrays(pa.array(offsets), values)


COLUMNS = ("row", "score", "p_value", "alert", "reasons")
REASONS = pa.list_(
    pa.struct(
        [
            pa.field("column", pa.string()),
            pa.field("contribution", pa.float64()),
            pa.field("observed", pa.string()),
            pa.field("expected", pa.string()),
        ]
    )
)
