"""Score a table: every row's score and p-value, alerts, and reasons for the strangest rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.cells import SCHEMA, cells_table, reasons
from anomalo.files import require_writable
from anomalo.fitted import Fitted
from anomalo.jobs.place import Place, Watch
from anomalo.plugin import Mask, Scores
from anomalo.scoring import Threshold, strangest
from anomalo.sources import TableWriter, check_suffix
from anomalo.store import RunRecord

ROWS = 32_768
"""Rows in one written batch."""
TOP = 10
"""How many of the strangest rows a result lists."""


@dataclass(frozen=True)
class ScoreResult:
    """What scoring found.

    Attributes
    ----------
    run : RunRecord
        The stored run.
    score, p_value : float64 [n]
        In the input's row order.
    alert : bool [n]
        Which rows are alerts.
    top : list of dict
        The strangest rows: `row`, `score`, `p_value`, `alert`, `reasons`.
    warnings : tuple of str
        Plain sentences.
    """

    run: RunRecord
    score: Scores
    p_value: Scores
    alert: Mask
    top: list[dict[str, Any]]
    warnings: tuple[str, ...]


@dataclass
class _Pass:
    """The first pass: scores of all rows."""

    score: Scores
    p_value: Scores
    ids: pa.ChunkedArray | None
    warnings: list[str]


def score(
    place: Place,
    source: str,
    reference: str,
    *,
    output: Path | None = None,
    threshold: Threshold | None = None,
    explain: int = 1000,
    device: str = "auto",
) -> ScoreResult:
    """Score `source` with the saved model `reference`, store the run and write `output`.

    Parameters
    ----------
    explain : int
        Reasons are given for alerts and for this many of the strangest rows.

    Raises
    ------
    SchemaError
        The table does not fit the model's schema.
    SourceError, OutputError
        The table cannot be read, or the output not written.
    UsageError
        There is no such model, or it cannot score.
    """
    if output is not None:
        check_suffix(output)
        require_writable(output)
    record, fitted = place.load(reference, device)
    fitted.require("score")
    job = _Job(place, source, fitted, output, threshold or Threshold(), explain)
    run = place.store.add_run("score", job.write, model=record, source=source)
    place.registry.run_saved(place.store, run.id)
    return job.result(run)


@dataclass
class _Job:
    """One scoring, from the source to the run's folder and the output."""

    place: Place
    source: str
    fitted: Fitted
    output: Path | None
    threshold: Threshold
    explain: int

    def write(self, folder: Path) -> dict[str, Any]:
        """Do it all, and return the run's summary."""
        first = _score_all(self.place, self.source, self.fitted)
        self.order = strangest(first.p_value, first.score)
        alert = self.threshold.alerts(first.p_value, first.score)
        explained = np.union1d(np.flatnonzero(alert), self.order[: self.explain])
        cells, raw = _explain_rows(self.place, self.source, self.fitted, explained)
        self.rows = _Rows(first, alert, reasons(cells, explained), self.fitted.schema.id)
        limit = self.threshold.limits(len(alert), len(self.fitted.calibration.reference))
        self.warnings = [*first.warnings, *([limit] if limit else [])]
        for path in (folder / "scores.parquet", self.output):
            if path is not None:
                _write(path, self.rows.batches())
        _write(folder / "cells.parquet", cells.to_batches())
        _write(folder / "rows.parquet", raw.to_batches())
        return {
            "rows": len(alert),
            "alerts": int(alert.sum()),
            "threshold": str(self.threshold),
            "explained": len(explained),
            "output": None if self.output is None else str(self.output),
            "warnings": self.warnings,
        }

    def result(self, run: RunRecord) -> ScoreResult:
        """Return what `write` found."""
        rows = self.rows
        top = [rows.row(int(row)) for row in self.order[:TOP]]
        return ScoreResult(run, rows.first.score, rows.first.p_value, rows.alert, top, tuple(self.warnings))


def _write(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
    with TableWriter(path, None) as writer:
        for batch in batches:
            writer.write(batch)


def _score_all(place: Place, source: str, fitted: Fitted) -> _Pass:
    watch = Watch(fitted)
    scores, p_values, ids = [np.zeros(0)], [np.zeros(0)], []
    for batch, data in place.encoded(source, fitted):
        scored = fitted.score(data)
        watch.see(data)
        scores.append(scored.score)
        p_values.append(scored.p_value)
        if fitted.schema.id in batch.schema.names:
            ids.append(batch.column(fitted.schema.id))
        if place.progress is not None:
            place.progress(0.0, f"{watch.rows} rows")
    identifiers = pa.chunked_array(ids) if ids else None
    return _Pass(np.concatenate(scores), np.concatenate(p_values), identifiers, watch.warnings())


def _explain_rows(place: Place, source: str, fitted: Fitted, rows: NDArray[np.intp]) -> tuple[pa.Table, pa.Table]:
    """Read the source once more, and explain the rows whose numbers are given, ascending."""
    cells: list[pa.Table] = [SCHEMA.empty_table()]
    raw: list[pa.Table] = []
    start = 0
    for batch, data in place.encoded(source, fitted):
        here = rows[(rows >= start) & (rows < start + len(data))]
        if len(here) or not raw:
            at = here - start
            kept = batch.take(pa.array(at))
            cells.append(cells_table(fitted, kept, here, data.take(at)))
            raw.append(pa.table([pa.array(here, pa.int64()), *kept.columns], ["row", *kept.schema.names]))
        start += len(data)
    return pa.concat_tables(cells), pa.concat_tables(raw)


@dataclass(frozen=True)
class _Rows:
    """The scores as they are written."""

    first: _Pass
    alert: Mask
    why: dict[int, list[dict[str, Any]]]
    id: str | None

    def row(self, row: int) -> dict[str, Any]:
        """Return one row as JSON-ready values."""
        found: dict[str, Any] = {"row": row}
        if self.first.ids is not None and self.id is not None:
            value = self.first.ids[row].as_py()
            found[self.id] = value if isinstance(value, int | float | str | None) else str(value)
        return found | {
            "score": float(self.first.score[row]),
            "p_value": float(self.first.p_value[row]),
            "alert": bool(self.alert[row]),
            "reasons": self.why.get(row, []),
        }

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows in the input's order."""
        for start in range(0, len(self.alert), ROWS):
            stop = min(start + ROWS, len(self.alert))
            columns = {"row": pa.array(np.arange(start, stop, dtype=np.int64))}
            if self.first.ids is not None and self.id is not None:
                columns[self.id] = pc.cast(self.first.ids.slice(start, stop - start).combine_chunks(), self._id_type())
            columns["score"] = pa.array(self.first.score[start:stop])
            columns["p_value"] = pa.array(self.first.p_value[start:stop])
            columns["alert"] = pa.array(self.alert[start:stop])
            columns["reasons"] = pa.array([self.why.get(row, []) for row in range(start, stop)], REASONS)
            yield pa.RecordBatch.from_pydict(columns)

    def _id_type(self) -> pa.DataType:
        assert self.first.ids is not None
        kind = self.first.ids.type
        return kind.value_type if pa.types.is_dictionary(kind) else kind


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
