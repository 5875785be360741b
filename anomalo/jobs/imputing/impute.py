"""Fill the missing cells of a table; observed cells stay as they are."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalo.encoding.encoded import Encoded
from anomalo.errors import UsageError
from anomalo.jobs.context import DataQualityMonitor, JobContext, counts
from anomalo.jobs.sharding import Found, Work, stored
from anomalo.pipeline.cell_tables import FILLS, Fills
from anomalo.tabular.readers import is_text
from anomalo.tabular.writers import TableWriter
from anomalo.workspace.workspace import RunRecord


@dataclass(frozen=True)
class ImputeResult:
    """What was filled: cells by column, the table and the stored run, and what there is to warn of."""

    run: RunRecord
    table: Path
    rows: int
    filled: dict[str, int]
    warnings: tuple[str, ...]


def impute(
    context: JobContext,
    source: str,
    reference: str,
    *,
    output: Path | None = None,
    draws: int = 0,
    device: str = "auto",
    resume: bool = False,
) -> ImputeResult:
    """Fill `source` with the saved model `reference`, store the run and write `output`.

    With `draws`, each missing cell is also drawn that many times; beside `output` stands a second file with these, its
    name that of `output` with `.cells.parquet` for the suffix. While it works, its shards are kept in the workspace; a
    job that was killed goes on from there with `resume`, and ends with the same files.

    It raises what `stored` does, and UsageError if the model gives no draws.
    """

    def create(work: Work) -> _Job:
        return _Job(work, output, draws)

    if draws < 0:
        raise UsageError(f"draws={draws}: expected a whole number from 0")
    beside = None if output is None or not draws else cells_beside(output)
    context.check_output(beside, source)
    return stored(context, "impute", source, reference, create, output=output, device=device, resume=resume)


def cells_beside(output: Path) -> Path:
    """Return the file with the drawn cells that stands beside a table.

    Examples
    --------
    >>> str(cells_beside(Path("filled.csv.gz")))
    'filled.cells.parquet'
    """
    return output.with_name(output.name.removesuffix(".gz").rpartition(".")[0] + ".cells.parquet")


@dataclass
class _Job:
    """One imputation, from the source to the run's folder and the output."""

    work: Work
    output: Path | None
    draws: int

    def write(self, folder: Path) -> dict[str, Any]:
        """Do it all, and return the run's summary."""
        fitted, like, stack = self.work.fitted, self.work.like(), ExitStack()
        self.name = f"filled{'.csv' if is_text(like) else '.parquet'}"
        self.watch = DataQualityMonitor(fitted)
        with stack:
            table = stack.enter_context(TableWriter(self.output or folder / self.name, like, self.work.owner))
            kept = [stack.enter_context(TableWriter(folder / "fills.parquet", FILLS))]
            if self.output is not None and self.draws:
                kept.append(stack.enter_context(TableWriter(cells_beside(self.output), FILLS, self.work.owner)))
            for part in self.work.parts(f"fills-{self.draws}" if self.draws else "fills", self._fill):
                fills = Fills(**part.arrays)
                filled = fills.fill(fitted, part.batch)
                table.write(filled)
                lines = fills.table(fitted, part.batch, filled, int(part.rows[0])).to_batches()
                for writer, batch in itertools.product(kept, lines):
                    writer.write(batch)
                self.watch.see(len(part.rows), part.counts)
                self.work.context.tell(self.watch.rows)
        return {
            "rows": self.watch.rows,
            "filled": dict(self.watch.holes),
            "draws": self.draws,
            "output": None if self.output is None else str(self.output),
            "warnings": self.watch.warnings(),
        }

    def _fill(self, data: Encoded) -> Found:
        return vars(Fills.of(data, self.work.fitted.impute(data, self.draws))), counts(data)

    def result(self, run: RunRecord) -> ImputeResult:
        """Return what `write` did."""
        warnings = (*self.watch.warnings(), *self.work.warnings)
        return ImputeResult(run, self.output or run.path / self.name, self.watch.rows, dict(self.watch.holes), warnings)
