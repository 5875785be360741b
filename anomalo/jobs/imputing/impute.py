"""Impute the missing cells of a table; observed cells stay as they are."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.errors import UsageError
from anomalo.jobs.context import DataQualityMonitor, JobContext, Opened, counts
from anomalo.jobs.images.inpaint import Inpainting
from anomalo.jobs.imputing.result import ImputeResult
from anomalo.jobs.part import Found, Part
from anomalo.jobs.scoring.numbered import free_name
from anomalo.jobs.sharding import Work, stored
from anomalo.pipeline.cell_tables import FILLS, Fills
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.reading.batches import is_text
from anomalo.tabular.writing.destination import Address, Output
from anomalo.tabular.writing.folder import ParquetFolder
from anomalo.workspace.workspace import RunRecord


def impute(
    context: JobContext,
    source: str,
    reference: str | Opened,
    *,
    output: Output | None = None,
    draws: int = 0,
    safe_csv: bool = False,
    device: str = "auto",
    resume: bool = False,
) -> ImputeResult:
    """Impute `source` with the saved model `reference`, store the run and write `output`.

    With `draws`, each missing cell is also drawn that many times, for multiple imputation; these draws are in a second
    file beside `output`, with the suffix `.cells.parquet`. While it runs, its shards are kept in the workspace; a job
    that was killed continues from them with `resume`, and writes the same files. With `safe_csv`, a spreadsheet finds
    no formulas in a table that is CSV.

    Of images, those with hidden pixels are filled: `output` is an address of a new folder for them.

    It raises what `stored` does, and UsageError, before anything is written, if the model gives no draws.
    """

    def create(work: Work) -> _Job | Inpainting:
        encoder = work.fitted.encoder
        if isinstance(encoder, ImageEncoder):
            return _inpainting(work, encoder, output, draws)
        if draws:
            work.fitted.impute(Encoded.blank(work.fitted.encoder.layout), 1)  # fails if the model gives no draws
        return _Job(work, output, draws, safe_csv)

    if draws < 0:
        raise UsageError(f"draws={draws}: expected a whole number from 0")
    beside = None if output is None or not draws else cells_beside(output)
    context.check_output(beside, source)
    return stored(context, "impute", source, reference, create, output=output, device=device, resume=resume)


def _inpainting(work: Work, encoder: ImageEncoder, output: Output | None, draws: int) -> Inpainting:
    if draws:
        raise UsageError("--draws is for tables; hidden pixels are filled once")
    folder = ParquetFolder.parse(output.text) if isinstance(output, Address) else None
    if output is not None and (folder is None or folder.by):
        raise UsageError(f"images are written to a new folder, and {output} names none; end it in a slash: OUT/")
    return Inpainting(work, encoder, None if folder is None else folder.path)


def cells_beside(output: Output) -> Path:
    """Return the path of the file with the drawn cells, beside an imputed table.

    Raises
    ------
    UsageError
        The table is not a file.

    Examples
    --------
    >>> str(cells_beside(Path("filled.csv.gz")))
    'filled.cells.parquet'
    """
    if isinstance(output, Address):
        raise UsageError(f"a second file is written beside the table, and {output} is no file; give one")
    return output.with_name(output.name.removesuffix(".gz").rpartition(".")[0] + ".cells.parquet")


@dataclass(frozen=True)
class _FillRows:
    """Finds the fills of rows, each drawn so many times too."""

    draws: int

    def __call__(self, fitted: Fitted, data: Encoded, part: Part) -> Found:
        return vars(Fills.of(data, fitted.impute(data, self.draws))), counts(data)


@dataclass
class _Job:
    """One imputation, from the source to the run's folder and the output."""

    work: Work
    output: Output | None
    draws: int
    safe_csv: bool

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all files, and return the run's summary."""
        fitted = self.work.fitted
        parts = self.work.parts(f"fills-{self.draws}" if self.draws else "fills", _FillRows(self.draws), ahead=True)
        first = list(itertools.islice(parts, 1))  # the schema is known once the first part is there
        like = self._lines_of(FILLS.empty_table(), first[0].batch, 0).schema if first else FILLS
        self.name = f"filled{'.csv' if is_text(self.work.schema) else '.parquet'}"
        self.monitor = DataQualityMonitor(fitted)
        writer = self.work.context.writer
        with ExitStack() as stack:
            path = self.output or folder / self.name
            table = stack.enter_context(writer(path, self.work.schema, self.work.delivery, safe_csv=self.safe_csv))
            kept = [stack.enter_context(writer(folder / "fills.parquet", like))]
            if self.output is not None and self.draws:
                kept.append(stack.enter_context(writer(cells_beside(self.output), like, self.work.delivery)))
            for part in itertools.chain(first, parts):
                fills = Fills(**part.arrays)
                filled = fills.fill(fitted, part.batch)
                table.write(filled)
                start = int(part.rows[0])
                lines = self._lines_of(fills.table(fitted, part.batch, filled, start), part.batch, start)
                for file, batch in itertools.product(kept, lines.to_batches()):
                    file.write(batch)
                self.monitor.see(len(part.rows), part.counts)
                self.work.context.report_rows(self.monitor.rows)
            self.monitor.require_readable()
        return {
            "rows": self.monitor.rows,
            "filled": dict(self.monitor.missing),
            "draws": self.draws,
            "output": None if self.output is None else str(self.output.absolute()),
            "warnings": self.monitor.warnings(),
        }

    def _lines_of(self, fills: pa.Table, batch: pa.RecordBatch, first: int) -> pa.Table:
        """Return fills of a batch with the column that names the rows, if there is one."""
        names = self.work.identifiers(batch)
        if names is None:
            return fills
        rows = pc.subtract(fills["row"], first)
        return fills.add_column(1, free_name(str(self.work.fitted.schema.id), FILLS.names), names.take(rows))

    def result(self, run: RunRecord) -> ImputeResult:
        """Return the result of `write`."""
        found, table = self.monitor, self.output or run.path / self.name
        return ImputeResult(run, table, found.rows, dict(found.missing), (*found.warnings(), *self.work.warnings))
