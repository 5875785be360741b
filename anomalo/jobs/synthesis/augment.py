"""Make synthetic rows, or images, with a saved generator."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.errors import SourceError, UsageError, without_passwords
from anomalo.generators.constraints import parse
from anomalo.jobs.context import JobContext
from anomalo.jobs.images.draw import FOLDER, Drawing
from anomalo.jobs.series.synthetic_windows import WindowGenerator
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.generator import Generator, conditions
from anomalo.tabular.column import TEXT, write_notes
from anomalo.tabular.formatting import arrow_type
from anomalo.tabular.writing.destination import Address, Output, alone
from anomalo.tabular.writing.folder import ParquetFolder
from anomalo.tabular.writing.writer import SUFFIXES
from anomalo.workspace.workspace import ModelRecord, RunRecord


@dataclass(frozen=True)
class AugmentResult:
    """The result of sampling: the stored run, the table, the number of synthetic rows, and warnings.

    Of images the table is a folder of files.
    """

    run: RunRecord
    table: Output
    rows: int
    warnings: tuple[str, ...]
    of_images: bool = False


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

    With `safe_csv`, a spreadsheet finds no formulas in rows that are written as CSV. Of a model of images, `output`
    is a new folder.

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
    record, fitted = context.load(reference, "sample", device)
    if isinstance(fitted.encoder, ImageEncoder):
        return _images(context, record, fitted, fitted.encoder, request, output, device, safe_csv)
    context.check_output(output, request.given or "")
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


def _require_of_images(request: SampleRequest, safe_csv: bool) -> None:
    asked = {"--given": request.given, "--constraint": request.constraints, "--safe-csv": safe_csv}
    for option, value in asked.items():
        if value:
            raise UsageError(f"{option} is for tables, and this model draws images; leave it out")


def _images(
    context: JobContext,
    record: ModelRecord,
    fitted: Fitted,
    encoder: ImageEncoder,
    request: SampleRequest,
    output: Output | None,
    device: str,
    safe_csv: bool,
) -> AugmentResult:
    _require_of_images(request, safe_csv)
    folder, count = _folder(output), request.rows or 0
    drawing = Drawing(
        context, record, fitted, encoder, count, _asked_class(fitted, request), request.seed, device, folder
    )

    def write(place: Path) -> dict[str, Any]:
        facts = drawing.write(place) | {"where": dict(request.where), "warnings": drawing.warnings}
        return facts | {"output": None if folder is None else str(folder.absolute())} | context.facts()

    run = context.store.add_run("augment", write, model=record, source=record.source)
    return AugmentResult(run, folder or run.path / FOLDER, count, tuple(drawing.warnings), of_images=True)


def _folder(output: Output | None) -> Path | None:
    """Return the new folder that images are written to.

    Raises
    ------
    UsageError
        The output is a table, or no folder of this machine.
    OutputError
        It exists, or cannot be written.
    """
    if output is None:
        return None
    folder = ParquetFolder.parse(output.text) if isinstance(output, Address) else ParquetFolder(output, ())
    if folder is None or folder.by or folder.path.name.lower().endswith(SUFFIXES):
        raise UsageError(f"images are written to a new folder, and {output} names none; give a name such as drawn/")
    folder.check()
    return folder.path


def _asked_class(fitted: Fitted, request: SampleRequest) -> int | None:
    """Return the class that `where` asks for, by its index; None if any will do.

    Raises
    ------
    UsageError
        The model knows no classes, or not this one; or another column is named.
    """
    classes, label = fitted.facts.get("classes"), fitted.schema.label
    for name, value in request.where.items():
        if not classes:
            raise UsageError(f"--where {name}: the model was fitted without labels; fit one with --label --supervised")
        if name != label:
            raise UsageError(f"--where {name}: images can be asked for by their label, {label!r}, alone")
        if value not in classes:
            raise UsageError(f"--where {name}={value}: no such class; it has {', '.join(classes)}")
        return int(classes.index(value))
    return None


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
