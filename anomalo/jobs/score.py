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
from anomalo.fitted import Fitted
from anomalo.jobs.place import EQUAL_ROWS, Place, Watch
from anomalo.plugin import Encoded, Mask, Scores
from anomalo.scoring import Threshold, strangest
from anomalo.sources import TableWriter
from anomalo.store import RunRecord

ROWS = 32_768
"""Rows in one written batch."""
TOP = 10
"""How many of the strangest rows a result lists."""
CELLS = 1_000_000
"""Cells that are explained at a time."""


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
    place.check_output(output, source)
    record, fitted = place.load(reference, "score", device)
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
        self.rows = _Rows(first, alert, self._reasons(folder, explained), self._id())
        self.warnings = [*first.warnings, *self._limits(len(alert))]
        for path in (folder / "scores.parquet", self.output):
            if path is not None:
                with TableWriter(path) as writer:
                    for batch in self.rows.batches():
                        writer.write(batch)
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

    def _reasons(self, folder: Path, rows: NDArray[np.intp]) -> dict[int, list[dict[str, Any]]]:
        """Read the source once more, keep the explained rows and their cells, and return the reasons."""
        why: dict[int, list[dict[str, Any]]] = {}
        with TableWriter(folder / "cells.parquet", SCHEMA) as kept, TableWriter(folder / "rows.parquet") as raw:
            for batch, data, here in _picked(self.place, self.source, self.fitted, rows):
                raw.write(_numbered(batch, here))
                cells = cells_table(self.fitted, batch, here, data)
                why |= reasons(cells, here)
                for part in cells.to_batches():
                    kept.write(part)
        return why

    def _id(self) -> str | None:
        name = self.fitted.schema.id
        return None if name is None else free_name(name, COLUMNS)

    def _limits(self, rows: int) -> list[str]:
        reference = len(self.fitted.calibration.reference)
        limit = self.threshold.limits(rows, reference) if reference else EQUAL_ROWS
        return [limit] if limit else []


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


def _numbered(batch: pa.RecordBatch, rows: NDArray[np.intp]) -> pa.RecordBatch:
    """Put the rows' numbers before their raw values."""
    fields = [field.with_name(free_name(field.name, ["row"])) for field in batch.schema]
    schema = pa.schema([pa.field("row", pa.int64()), *fields], batch.schema.metadata)
    return pa.RecordBatch.from_arrays([pa.array(rows, pa.int64()), *batch.columns], schema=schema)


def _score_all(place: Place, source: str, fitted: Fitted) -> _Pass:
    watch = Watch(fitted)
    scores, p_values, ids = [np.zeros(0)], [np.zeros(0)], []
    for batch, data in place.encoded(source, fitted):
        scored = fitted.score(data)
        watch.see(data)
        scores.append(scored.score)
        p_values.append(scored.p_value)
        if fitted.schema.id in batch.schema.names:
            ids.append(_decoded(batch.column(fitted.schema.id)))
        place.tell(watch.rows)
    identifiers = pa.chunked_array(ids) if ids else None
    return _Pass(np.concatenate(scores), np.concatenate(p_values), identifiers, watch.warnings())


def _decoded(array: pa.Array) -> pa.Array:
    return pc.cast(array, array.type.value_type) if pa.types.is_dictionary(array.type) else array


def _picked(
    place: Place, source: str, fitted: Fitted, rows: NDArray[np.intp]
) -> Iterator[tuple[pa.RecordBatch, Encoded, NDArray[np.intp]]]:
    """Yield the rows whose numbers are given, ascending: raw, encoded and numbered, a part at a time."""
    start, most = 0, max(CELLS // max(len(fitted.schema.features), 1), 1)
    for batch, data in place.encoded(source, fitted):
        here = rows[(rows >= start) & (rows < start + len(data))]
        # The first part may be empty: it tells the columns.
        for part in range(0, max(len(here), int(start == 0)), most):
            numbers = here[part : part + most]
            yield batch.take(pa.array(numbers - start)), data.take(numbers - start), numbers
        start += len(data)


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
            found[self.id] = value if isinstance(value, int | str | None) else str(value)
        return found | {
            "score": float(self.first.score[row]),
            "p_value": float(self.first.p_value[row]),
            "alert": bool(self.alert[row]),
            "reasons": self.why.get(row, []),
        }

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows in the input's order."""
        for start in range(0, len(self.alert), ROWS):
            rows = slice(start, min(start + ROWS, len(self.alert)))
            columns = {"row": pa.array(np.arange(rows.start, rows.stop, dtype=np.int64))}
            if self.first.ids is not None and self.id is not None:
                columns[self.id] = self.first.ids[rows].combine_chunks()
            columns["score"] = pa.array(self.first.score[rows])
            columns["p_value"] = pa.array(self.first.p_value[rows])
            columns["alert"] = pa.array(self.alert[rows])
            columns["reasons"] = pa.array([self.why.get(row, []) for row in range(rows.start, rows.stop)], REASONS)
            yield pa.RecordBatch.from_pydict(columns)


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
