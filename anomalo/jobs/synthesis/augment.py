"""Make synthetic rows with a saved generator."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from anomalo.errors import SourceError, UsageError, without_passwords
from anomalo.generators.constraints import parse
from anomalo.jobs.context import JobContext
from anomalo.jobs.series.synthetic_windows import WindowGenerator
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.generator import Generator, conditions
from anomalo.tabular.column import TEXT, write_notes
from anomalo.tabular.formatting import arrow_type
from anomalo.tabular.writing.destination import Output, alone
from anomalo.workspace.workspace import ModelRecord, RunRecord


@dataclass(frozen=True)
class AugmentResult:
    """The result of sampling: the stored run, the table, the number of synthetic rows, and warnings."""

    run: RunRecord
    table: Output
    rows: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class SampleRequest:
    """Which synthetic rows to sample.

    Attributes
    ----------
    rows : int or None
        How many; None for as many as `given` has.
    where : mapping of str to str
        The same cells for all rows.
    given : str or None
        A table with some of the columns, row by row; its empty cells are drawn.
    constraints : sequence of str
        What every row has to satisfy, besides the constraints of the fit.
    seed : int
        Equal seeds give equal files.
    """

    rows: int | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    given: str | None = None
    constraints: Sequence[str] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.rows is None) == (self.given is None):
            raise UsageError("give either the number of rows (-n) or a table of given cells (--given), and not both")
        if self.rows is not None and self.rows < 1:
            raise UsageError(f"{self.rows} rows: expected a whole number from 1")


def augment(
    context: JobContext,
    reference: str,
    request: SampleRequest,
    *,
    output: Output | None = None,
    safe_csv: bool = False,
    device: str = "auto",
) -> AugmentResult:
    """Sample rows from the saved model `reference`, store the run and write `output`.

    With `safe_csv`, a spreadsheet finds no formulas in rows that are written as CSV.

    Raises
    ------
    UsageError
        There is no such model, it does not sample, or it cannot satisfy `request`.
    SchemaError
        A given cell does not fit the training table's columns.
    SourceError
        The table of given cells cannot be read.
    OutputError
        The output cannot be written.
    ArtefactError
        The model is damaged.
    """
    context.check_output(output, request.given or "")
    record, fitted = context.load(reference, "sample", device)
    constraints = [*fitted.constraints, *parse(request.constraints, fitted.schema, fitted.encoder.layout)]
    if fitted.encoder.layout.window:
        windows = WindowGenerator(fitted, constraints, request.seed, device)
        return _windows(context, record, windows, request, output, safe_csv)
    generator = Generator(fitted, constraints, request.seed, device)
    name = f"rows{'.csv' if _is_text(fitted) else '.parquet'}"
    given = () if request.given is None else context.registry.read(request.given, context.reading)
    parts = conditions(fitted, dict(request.where), request.rows, given)
    first = next(parts, None)  # the request is checked before a file is created
    if first is None:
        raise SourceError(f"{request.given} has no rows; give a table with at least one")

    def write(folder: Path) -> dict[str, Any]:
        with context.writer(output or folder / name, _like(fitted), safe_csv=safe_csv) as table:
            for part in itertools.chain([first], parts):
                table.write(generator.rows(part))
                context.report_rows(generator.drawn)
        warnings = [*_warnings(fitted, generator, first), *_changed(generator, "rows")]
        return _facts(request, output) | _drawn(generator, warnings) | context.facts()

    with alone(output):
        run = context.store.add_run("augment", write, model=record, source=request.given or record.source)
    return AugmentResult(run, output or run.path / name, generator.drawn, tuple(run.summary["warnings"]))


def _windows(
    context: JobContext,
    record: ModelRecord,
    generator: WindowGenerator,
    request: SampleRequest,
    output: Output | None,
    safe_csv: bool,
) -> AugmentResult:
    """Draw windows of a series, store the run and write their points."""
    if request.rows is None or request.where:
        raise UsageError(
            "windows of a series are drawn whole: give -n alone, without --where or --given; "
            "`anomalo impute --draws K` fills the missing points of a window that is known in part"
        )
    windows = request.rows
    name = f"rows{'.csv' if generator.is_text else '.parquet'}"

    def write(folder: Path) -> dict[str, Any]:
        with context.writer(output or folder / name, generator.schema, safe_csv=safe_csv) as table:
            for batch in generator.batches(windows):
                table.write(batch)
                context.report_rows(generator.drawn, "windows")
        facts = _facts(request, output) | _drawn(generator, list(_changed(generator, "windows")))
        return facts | {"windows": windows, "rows": windows * generator.length} | context.facts()

    with alone(output):
        run = context.store.add_run("augment", write, model=record, source=record.source)
    return AugmentResult(run, output or run.path / name, run.summary["rows"], tuple(run.summary["warnings"]))


def _facts(request: SampleRequest, output: Output | None) -> dict[str, Any]:
    return {
        "where": dict(request.where),
        "given": None if request.given is None else without_passwords(request.given),
        "constraints": list(request.constraints),
        "seed": request.seed,
        "output": None if output is None else str(output.absolute()),
    }


def _drawn(generator: Generator | WindowGenerator, warnings: list[str]) -> dict[str, Any]:
    numbers = {"redrawn": generator.redrawn, "repaired": generator.repaired, "rows": generator.drawn}
    return numbers | {"warnings": warnings}


def _is_text(fitted: Fitted) -> bool:
    return all(column.storage == TEXT for column in fitted.schema.columns)


def _like(fitted: Fitted) -> pa.Schema:
    """Return the training table's columns and types."""
    fields = [(column.name, arrow_type(column.storage)) for column in fitted.schema.columns]
    schema = pa.schema(fields)
    return write_notes(schema, {"text": True}) if _is_text(fitted) else schema


def _warnings(fitted: Fitted, generator: Generator, given: pa.RecordBatch) -> Iterator[str]:
    learned = {column.name for column in fitted.schema.features} | set(given.schema.names)
    empty = [column.name for column in fitted.schema.columns if column.name not in learned]
    if empty:
        yield f"the generator did not learn {', '.join(map(repr, empty))}: empty in the synthetic rows"


def _changed(generator: Generator | WindowGenerator, what: str) -> Iterator[str]:
    if generator.repaired:
        yield (
            f"{generator.repaired:,} of {generator.drawn:,} {what} broke a constraint in every draw; their cells were "
            "changed to satisfy it"
        )
