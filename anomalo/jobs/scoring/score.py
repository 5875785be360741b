"""Score a table: every row's score and p-value, alerts, and reasons for the most anomalous rows."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomalo.calibration.results import Explained
from anomalo.calibration.thresholds import Threshold, most_anomalous
from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.errors import UsageError
from anomalo.jobs.comparing.compare import compared
from anomalo.jobs.context import JobContext, Opened
from anomalo.jobs.images.explained import PICTURES, explain_images, regions_of, write_pictures_of
from anomalo.jobs.part import Found, Part
from anomalo.jobs.scoring import accepted
from anomalo.jobs.scoring.alerts import TOP, ScoredTable, score_table
from anomalo.jobs.scoring.candidates import Selection
from anomalo.jobs.scoring.labelled import compared as compared_with_label
from anomalo.jobs.scoring.neighbours import neighbours_writer
from anomalo.jobs.scoring.numbered import free_name, numbered, numbered_schema
from anomalo.jobs.scoring.score_rows import COLUMNS, ScoreRows
from anomalo.jobs.scoring.shadow import Challenger, Shadow
from anomalo.jobs.scoring.spool import Spool
from anomalo.jobs.series.intervals import SCHEMA as INTERVALS
from anomalo.jobs.series.intervals import Intervals, intervals_beside
from anomalo.jobs.sharding import Work, stored
from anomalo.pipeline.cell_tables import SCHEMA, absent, explained_cells, shown_cells
from anomalo.pipeline.explaining.reasons import reasons
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.writing.destination import Address, Output
from anomalo.tabular.writing.writer import PARQUET, TableWriter, check_suffix, copy_file
from anomalo.workspace.workspace import RunRecord

FILE = "scores.parquet"
ROWS, CELLS = 1024, 1_000_000
"""So many rows are explained at a time, or fewer that have so many cells."""
EXPLAINED = ("contribution", "expected", "low", "high", "moments", "near", "blamed", "texts")


@dataclass(frozen=True)
class ScoreResult:
    """The result of scoring.

    Attributes
    ----------
    run : RunRecord
        The stored run.
    top : list of dict
        The most anomalous rows: `row`, `score`, `p_value`, `alert`, `reasons`.
    warnings : tuple of str
        Plain sentences.
    """

    run: RunRecord
    top: list[dict[str, Any]]
    warnings: tuple[str, ...]

    @property
    def score(self) -> Scores:
        """The scores in the input's row order, float64 [n], read from the run."""
        return self._read("score")

    @property
    def p_value(self) -> Scores:
        """The p-values likewise, float64 [n]."""
        return self._read("p_value")

    @property
    def alert(self) -> Mask:
        """Which rows are alerts, bool [n]."""
        return self._read("alert")

    def _read(self, column: str) -> NDArray[Any]:
        found: NDArray[Any] = pq.read_table(self.run.path / FILE, columns=[column])[column].to_numpy()
        return found


def score(
    context: JobContext,
    source: str,
    reference: str | Opened,
    *,
    output: Output | None = None,
    threshold: Threshold | None = None,
    explain: int = 1000,
    safe_csv: bool = False,
    device: str = "auto",
    resume: bool = False,
    shadow: str | None = None,
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
    shadow : str, optional
        A saved model that scores the same rows in the same pass. The run and the output stay what they are; the run's
        summary says, too, how its alerts compare, and its scores are in the run's folder.

    It raises what `stored` does.
    """
    limit = threshold or Threshold()
    challenger = None if shadow is None else Shadow(Challenger.of(context, shadow, device), limit)

    def create(work: Work) -> _Job:
        if challenger is not None and work.fitted.schema.time is not None:
            raise UsageError("--shadow is for tables; score the series with each of the models, and compare the runs")
        work.job.agree(shadow=None if challenger is None else challenger.facts)
        return _Job(work, output, limit, explain, safe_csv, challenger)

    return stored(context, "score", source, reference, create, output=output, device=device, resume=resume)


@dataclass
class _Job:
    """One scoring, from the source to the run's folder and the output."""

    work: Work
    output: Output | None
    threshold: Threshold
    explain: int
    safe_csv: bool
    shadow: Shadow | None = None

    @property
    def fitted(self) -> Fitted:
        return self.work.fitted

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all files, and return the run's summary."""
        scored = score_table(self.work, self.threshold, self.explain, self.shadow, profiled=True)
        order = scored.candidates.most_anomalous[0]
        self.rows = ScoreRows(scored, TOP, self._id(), Spool(self.work.job.folder / "reasons.arrow"))
        explained = self._explain(folder, scored, scored.selection.and_rows(order[: self.explain]))
        beside: dict[str, Any] = (
            {} if self.shadow is None else {"shadow": self.shadow.write(folder, scored.results(), scored.rows)}
        )
        beside |= accepted.write(self.fitted, folder, scored.results(), scored.selection.largest)
        if scored.positives is not None:
            beside["label"] = compared_with_label(scored.positives, scored.score, scored.alert)
        if scored.intervals is not None:
            beside["intervals"] = self._write_intervals(folder, scored.intervals)
        if scored.points is not None:
            scored.points.write(folder)
        if scored.changes is not None:
            scored.changes.write(folder)
            beside["changes"] = len(scored.changes)
        self._write_rows(folder / FILE)
        return beside | {
            "rows": scored.rows,
            "alerts": scored.alerts,
            "threshold": str(self.threshold),
            "explained": explained,
            "output": None if self.output is None else str(self.output.absolute()),
            "warnings": scored.warnings,
            **self._compared(scored, folder),
        }

    def _write_intervals(self, folder: Path, intervals: Intervals) -> int:
        """Write the intervals of a series to the run's folder and beside the output, and return how many there are."""
        beside = [] if self.output is None or isinstance(self.output, Address) else [intervals_beside(self.output)]
        for path in (folder / "intervals.parquet", *beside):
            with self.work.context.writer(path, INTERVALS, self.work.delivery) as file:
                for batch in intervals.table().to_batches():
                    file.write(batch)
        return len(intervals)

    def _compared(self, scored: ScoredTable, folder: Path) -> dict[str, Any]:
        """Write the table's profile and its comparison with the training table, and return facts on the latter."""
        reference = self.fitted.profile
        if reference is None or scored.profile is None:
            return {}
        return {"drift": compared(reference, scored.profile, folder)}

    def result(self, run: RunRecord) -> ScoreResult:
        """Return the result of `write`."""
        return ScoreResult(run, self.rows.top(), (*self.rows.scored.warnings, *self.work.warnings))

    def _write_rows(self, path: Path) -> None:
        """Write the rows to the run's file, and to the output, which appears last."""
        same = isinstance(self.output, Path) and check_suffix(self.output) in PARQUET
        paths = [path] if same or self.output is None else [self.output, path]
        with ExitStack() as stack:
            writers = [
                stack.enter_context(self.work.context.writer(path, delivery=self.work.delivery, safe_csv=self.safe_csv))
                for path in paths
            ]
            for batch in self.rows.batches():
                for writer in writers:
                    writer.write(batch)
        if same and isinstance(self.output, Path):
            copy_file(path, self.output, self.work.delivery.owner)

    def _explain(self, folder: Path, scored: ScoredTable, selection: Selection) -> int:
        """Explain rows, write them and their cells, keep their reasons, and return how many rows they are."""
        explained = 0
        with (
            TableWriter(folder / "cells.parquet", SCHEMA) as kept,
            TableWriter(folder / "rows.parquet", numbered_schema(self.work.schema)) as raw,
            neighbours_writer(folder, self.fitted, scored.normal_rows()) as near,
        ):
            for part in self.work.found("cells", _explain, scored.selected(selection, self._at_once)):
                raw.write(numbered(part))
                near(part)
                cells, why = self._cells_and_reasons(part, folder)
                self.rows.keep(part.rows, why)
                for batch in cells.to_batches():
                    kept.write(batch)
                explained += len(part.rows)
                self.work.context.report_rows(explained, "rows explained")
        return explained

    def _cells_and_reasons(self, part: Part, folder: Path) -> tuple[pa.Table, dict[int, list[dict[str, Any]]]]:
        """Return an explained part's table of cells, and the reasons of its rows; pictures of images are written."""
        if isinstance(self.fitted.encoder, ImageEncoder):
            write_pictures_of(self.fitted.encoder, part, folder, self._drawn)
            return regions_of(self.fitted.encoder, part)
        explained = Explained(*(part.arrays[name] for name in EXPLAINED))
        if self.rows.scored.intervals is not None:
            self.rows.scored.intervals.explain(part.rows, explained.contribution)
        cells = explained_cells(self.fitted, part.batch, part.rows, explained, part.arrays["missing"])
        shown = shown_cells(self.fitted.encoder.layout)
        texts = np.zeros(explained.texts.shape, dtype=np.bool_)
        near = np.concatenate([explained.near.reshape(len(part.rows), -1)[:, shown], texts], axis=1)
        return cells, reasons(cells, part.rows, near)

    @cached_property
    def _drawn(self) -> frozenset[int]:
        """The images that get pictures."""
        scored = self.rows.scored
        return frozenset(most_anomalous(scored.p_value, scored.score)[:PICTURES].tolist())

    @property
    def _at_once(self) -> int:
        """How many rows are explained at a time."""
        return min(max(CELLS // max(len(self.fitted.encoder.layout.block_of_cell), 1), 1), ROWS)

    def _id(self) -> str | None:
        name = self.fitted.schema.id
        return None if name is None else free_name(name, COLUMNS)


def _explain(fitted: Fitted, data: Encoded, part: Part) -> Found:
    if isinstance(fitted.encoder, ImageEncoder):
        return explain_images(fitted, data)
    explained = fitted.explain(data)
    return {name: getattr(explained, name) for name in EXPLAINED} | {"missing": absent(data)}, {}
