"""Suggest for the alerts of a table the fewest cells to replace, and replace them if asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.calibration.thresholds import Boundary, Threshold, most_anomalous
from anomalo.encoding.encoded import Encoded, Floats, Mask
from anomalo.jobs.context import JobContext
from anomalo.jobs.imputing.repair_suggestions import nested, schema, suggestions
from anomalo.jobs.part import Found, Part, Rows
from anomalo.jobs.scoring.alerts import TOP, score_table
from anomalo.jobs.sharding import Work, stored
from anomalo.pipeline.cell_tables import absent
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.repair import MOST, Repaired
from anomalo.pipeline.repair import repair as search
from anomalo.pipeline.text_repairs import TextRepairs, repair_texts
from anomalo.tabular.reading.batches import is_text
from anomalo.tabular.writing.destination import Output
from anomalo.tabular.writing.replacing import Replacements, by_column, replaced
from anomalo.workspace.workspace import RunRecord

FILE = "repairs.parquet"
"""The suggestions in the run's folder."""
CELLS = 100_000
"""Cells of alerts that are searched for repairs at a time."""
FIELDS = tuple(field.name for field in fields(Repaired))


@dataclass(frozen=True)
class RepairResult:
    """The result of a repair.

    Attributes
    ----------
    run : RunRecord
        The stored run; its summary counts rows, alerts and repaired rows, and the replaced cells by column.
    table : Path or Address
        The repaired table if it was asked for, else the suggestions.
    top : list of dict
        The most anomalous alerts: `row`, `score_before`, `score_after`, `p_value_before`, `p_value_after`, `normal`,
        and `cells`, each with `column`, `before`, `after`, `low` and `high`.
    warnings : tuple of str
        Plain sentences.
    """

    run: RunRecord
    table: Output
    top: list[dict[str, Any]]
    warnings: tuple[str, ...]


def repair(
    context: JobContext,
    source: str,
    reference: str,
    *,
    output: Output | None = None,
    threshold: Threshold | None = None,
    most: int = MOST,
    apply: bool = False,
    safe_csv: bool = False,
    device: str = "auto",
    resume: bool = False,
) -> RepairResult:
    """Find repairs of the alerts of `source` with the saved model `reference`, and store them as a run.

    While it runs, its shards are kept in the workspace; a job that was killed continues from them with `resume`, and
    writes the same files.

    Parameters
    ----------
    output : Path or Address, optional
        Where to write the suggestions or, if `apply`, the table with the repaired cells.
    most : int
        The largest number of cells of a repair.
    apply : bool
        Write the repaired table; into the run's folder if there is no `output`.
    safe_csv : bool
        Write a file, if it is CSV, so that a spreadsheet finds no formulas in it.

    It raises what `stored` does.
    """

    def create(work: Work) -> _Job:
        return _Job(work, output, threshold or Threshold(), most, apply, safe_csv)

    return stored(context, "repair", source, reference, create, output=output, device=device, resume=resume)


@dataclass(frozen=True)
class _RepairRows:
    """Finds repairs of rows.

    Parameters
    ----------
    boundary : Boundary
        Below it a row is no alert.
    most : int
        The largest number of cells of a repair.
    """

    boundary: Boundary
    most: int

    def __call__(self, fitted: Fitted, data: Encoded, part: Part) -> Found:
        texts, start = repair_texts(fitted.texts, part.batch, data, self.most)
        found = search(fitted, data, self.boundary, self.most, start=start)
        texts = texts.only(found.normal[:, None])
        return vars(found) | texts.arrays() | {"missing": absent(data)}, {}


@dataclass
class _Job:
    """One repair, from the source to the run's folder and the output."""

    work: Work
    output: Output | None
    threshold: Threshold
    most: int
    apply: bool
    safe_csv: bool

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all files, and return the run's summary."""
        # Repairs found at another threshold cannot be used.
        self.work.job.agree(threshold=str(self.threshold), most=self.most)
        self.scored = score_table(self.work, self.threshold)
        self.name = FILE if not self.apply else f"repaired{'.csv' if is_text(self.work.schema) else '.parquet'}"
        self.found = _Found(self._most_anomalous())
        self._suggest([folder / FILE] if self.apply or self.output is None else [self.output, folder / FILE])
        if self.apply:
            self._apply(self.output or folder / self.name)
        return {
            "rows": self.scored.rows,
            "alerts": self.scored.alerts,
            "threshold": str(self.threshold),
            "most": self.most,
            "repaired": self.found.repaired,
            "replaced": dict(self.found.columns.most_common()),
            "applied": self.apply,
            "output": None if self.output is None else str(self.output.absolute()),
            "warnings": self.scored.warnings,
        }

    def result(self, run: RunRecord) -> RepairResult:
        """Return the result of `write`."""
        top = [nested(self.found.lines[row]) for row in self._most_anomalous()]
        warnings = (*self.scored.warnings, *self.work.warnings)
        return RepairResult(run, self.output or run.path / self.name, top, warnings)

    def _most_anomalous(self) -> list[int]:
        order = most_anomalous(self.scored.p_value, self.scored.score)
        return order[self.scored.alert[order]][:TOP].tolist()  # type: ignore[no-any-return]

    def _suggest(self, paths: list[Output]) -> None:
        """Write the suggestions to files, of which the first appears last."""
        columns = () if self.work.fitted.texts is None else self.work.fitted.texts.columns
        with ExitStack() as stack:
            like = schema(self.work, self.scored)
            writers = [
                stack.enter_context(self.work.context.writer(path, like, self.work.delivery, safe_csv=self.safe_csv))
                for path in paths
            ]
            for part in self._parts():
                repaired = Repaired(*(part.arrays[name] for name in FIELDS))
                texts = TextRepairs.restored(columns, part.arrays)
                lines = suggestions(self.work, part, repaired, texts, self.scored)
                self.found.add(part.rows, repaired, texts, lines)
                for writer in writers:
                    writer.write(lines)
                self.work.context.report_rows(self.found.searched, "alerts")

    def _parts(self) -> Iterator[Part]:
        """Yield the alerts with their repairs, ascending, a part at a time."""
        boundary = self.threshold.boundary(self.scored.p_value, self.scored.score)
        most = max(CELLS // max(len(self.work.fitted.schema.features), 1), 1)
        parts = self.scored.selected(self.scored.selection, most)
        return self.work.found("repairs", _RepairRows(boundary, self.most), parts)

    def _apply(self, path: Output) -> None:
        """Read the source once more, and write it with the cells replaced."""
        encoder, texts, first = self.work.fitted.encoder, self.found.texts(), 0
        with self.work.context.writer(path, self.work.schema, self.work.delivery, safe_csv=self.safe_csv) as table:
            for batch in self.work.context.read(self.work.source):
                cells, values = self.found.between(first, batch.num_rows, len(encoder.layout.blocks))
                table.write(encoder.fill(replaced(batch, first, texts), values, where=cells))
                first += batch.num_rows
                self.work.context.report_rows(first)


@dataclass
class _Found:
    """The repairs so far, part by part.

    Attributes
    ----------
    top : list of int
        The rows whose suggestions are kept, as dicts, in `lines`.
    row, position, value : list of ndarray
        The replaced cells of each part: the row's number in the input, the column, the encoded value.
    text_rows, text_columns, text_after : list
        The replaced cells of columns of texts, in the order of rows.
    columns : Counter
        How many cells of each column are replaced.
    searched, repaired : int
        How many alerts were searched, and how many of them a repair makes normal.
    """

    top: list[int]
    row: list[Rows] = field(default_factory=list)
    position: list[Rows] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)
    text_rows: list[int] = field(default_factory=list)
    text_columns: list[str] = field(default_factory=list)
    text_after: list[str | None] = field(default_factory=list)
    columns: Counter[str] = field(default_factory=Counter)
    lines: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    searched: int = 0
    repaired: int = 0

    def add(self, rows: Rows, found: Repaired, texts: TextRepairs, lines: pa.RecordBatch) -> None:
        """Add a part."""
        at, position = np.nonzero(found.cells)
        self.row.append(rows[at])
        self.position.append(position)
        self.value.append(found.value[at, position])
        at, position = np.nonzero(texts.cells)
        self.text_rows += rows[at].tolist()
        self.text_columns += [texts.columns[column] for column in position]
        self.text_after += texts.after[at, position].tolist()
        self.columns.update(lines["column"].drop_null().to_pylist())
        self.searched += len(rows)
        self.repaired += int(found.normal.sum())
        for line in lines.filter(pc.is_in(lines["row"], pa.array(self.top, pa.int64()))).to_pylist():
            self.lines.setdefault(line["row"], []).append(line)

    def texts(self) -> dict[str, Replacements]:
        """Return the replacements of each column of texts."""
        return by_column(self.text_rows, self.text_columns, self.text_after)

    def between(self, first: int, rows: int, columns: int) -> tuple[Mask, Floats]:
        """Return which cells of consecutive rows are replaced, bool [rows, columns], and by what, float32."""
        cells, values = np.zeros((rows, columns), dtype=bool), np.zeros((rows, columns), dtype=np.float32)
        for row, position, value in zip(self.row, self.position, self.value, strict=True):
            here = slice(*np.searchsorted(row, [first, first + rows]))
            cells[row[here] - first, position[here]] = True
            values[row[here] - first, position[here]] = value[here]
        return cells, values
