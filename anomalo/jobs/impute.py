"""Fill the missing cells of a table; observed cells stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalo.cells import FILLS, Fills
from anomalo.jobs.place import Place, Watch, counts
from anomalo.jobs.shards import Found, Work, stored
from anomalo.plugin import Encoded
from anomalo.sources import TableWriter, is_text
from anomalo.store import RunRecord


@dataclass(frozen=True)
class ImputeResult:
    """What was filled: cells by column, the table and the stored run, and what there is to warn of."""

    run: RunRecord
    table: Path
    rows: int
    filled: dict[str, int]
    warnings: tuple[str, ...]


def impute(
    place: Place,
    source: str,
    reference: str,
    *,
    output: Path | None = None,
    device: str = "auto",
    resume: bool = False,
) -> ImputeResult:
    """Fill `source` with the saved model `reference`, store the run and write `output`.

    While it works, its shards are kept in the workspace; a job that was killed goes on from there with `resume`,
    and ends with the same files.

    It raises what `stored` does.
    """

    def create(work: Work) -> _Job:
        return _Job(work, output)

    return stored(place, "impute", source, reference, create, output=output, device=device, resume=resume)


@dataclass
class _Job:
    """One imputation, from the source to the run's folder and the output."""

    work: Work
    output: Path | None

    def write(self, folder: Path) -> dict[str, Any]:
        """Do it all, and return the run's summary."""
        encoder, like = self.work.fitted.encoder, self.work.like()
        self.name = f"filled{'.csv' if is_text(like) else '.parquet'}"
        self.watch = Watch(self.work.fitted)
        with (
            TableWriter(self.output or folder / self.name, like, self.work.owner) as table,
            TableWriter(folder / "fills.parquet", FILLS) as kept,
        ):
            for part in self.work.parts("fills", self._fill):
                fills = Fills(**part.arrays)
                filled = encoder.fill(part.batch, fills.point(len(part.rows), len(encoder.layout.blocks)))
                table.write(filled)
                for lines in fills.table(self.work.fitted, filled, int(part.rows[0])).to_batches():
                    kept.write(lines)
                self.watch.see(len(part.rows), part.counts)
                self.work.place.tell(self.watch.rows)
        return {
            "rows": self.watch.rows,
            "filled": dict(self.watch.holes),
            "output": None if self.output is None else str(self.output),
            "warnings": self.watch.warnings(),
        }

    def _fill(self, data: Encoded) -> Found:
        return vars(Fills.of(data, self.work.fitted.impute(data))), counts(data)

    def result(self, run: RunRecord) -> ImputeResult:
        """Return what `write` did."""
        warnings = (*self.watch.warnings(), *self.work.warnings)
        return ImputeResult(run, self.output or run.path / self.name, self.watch.rows, dict(self.watch.holes), warnings)
