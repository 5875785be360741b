"""Embed a table: compute every row's latent code."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.jobs.context import DataQualityMonitor, JobContext, counts
from anomalo.jobs.part import Found, Part
from anomalo.jobs.scoring.numbered import free_name
from anomalo.jobs.sharding import Work, stored
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.writing.destination import Output
from anomalo.workspace.workspace import RunRecord

FILE = "codes.parquet"
"""The codes in the run's folder."""


@dataclass(frozen=True)
class EmbedResult:
    """The result of an embedding: the stored run, the number of rows, the width of a code, and warnings."""

    run: RunRecord
    rows: int
    latent: int
    warnings: tuple[str, ...]


def embed(
    context: JobContext,
    source: str,
    reference: str,
    *,
    output: Output | None = None,
    safe_csv: bool = False,
    device: str = "auto",
    resume: bool = False,
) -> EmbedResult:
    """Embed `source` with the saved model `reference`, store the run and write `output`.

    While it runs, its shards are kept in the workspace; a job that was killed continues from them with `resume`, and
    writes the same files. With `safe_csv`, a spreadsheet finds no formulas in an output that is CSV.

    It raises what `stored` does.
    """

    def create(work: Work) -> _Job:
        return _Job(work, output, safe_csv)

    return stored(context, "embed", source, reference, create, output=output, device=device, resume=resume)


@dataclass
class _Job:
    """One embedding, from the source to the run's folder and the output."""

    work: Work
    output: Output | None
    safe_csv: bool
    latent: int = 0

    def write(self, folder: Path) -> dict[str, Any]:
        """Write all files, and return the run's summary."""
        self.monitor = DataQualityMonitor(self.work.fitted)
        with ExitStack() as stack:
            paths = [path for path in (self.output, folder / FILE) if path is not None]
            writers = [
                stack.enter_context(self.work.context.writer(path, delivery=self.work.delivery, safe_csv=self.safe_csv))
                for path in paths
            ]
            for part in self.work.parts("codes", _embed):
                batch = self._batch(part)
                for writer in writers:
                    writer.write(batch)
                self.monitor.see(len(part.rows), part.counts)
                self.work.context.report_rows(self.monitor.rows)
        return {
            "rows": self.monitor.rows,
            "latent": self.latent,
            "output": None if self.output is None else str(self.output.absolute()),
            "warnings": self.monitor.warnings(),
        }

    def _batch(self, part: Part) -> pa.RecordBatch:
        """Return the lines to write: `row`, the id, `code_0`, `code_1`, …"""
        codes = part.arrays["codes"]
        self.latent = codes.shape[1]
        names = [f"code_{at}" for at in range(self.latent)]
        columns = {"row": pa.array(part.rows)}
        identifiers = self.work.identifiers(part.batch)
        if identifiers is not None:
            columns[free_name(str(self.work.fitted.schema.id), ["row", *names])] = identifiers
        return pa.RecordBatch.from_pydict(columns | dict(zip(names, map(pa.array, codes.T), strict=True)))

    def result(self, run: RunRecord) -> EmbedResult:
        """Return the result of `write`."""
        return EmbedResult(run, self.monitor.rows, self.latent, (*self.monitor.warnings(), *self.work.warnings))


def _embed(fitted: Fitted, data: Encoded, part: Part) -> Found:
    return {"codes": fitted.embed(data)}, counts(data)
