"""`anomalo scan`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from anomalo.cli.fit import (
    AssumeOption,
    EffortOption,
    MaxMemoryOption,
    ModelOption,
    SeedOption,
    SetOption,
    amount_of_memory,
    parameters,
)
from anomalo.cli.score import ThresholdOption, show, summary
from anomalo.cli.terminal.columns import (
    CausalOption,
    DropOption,
    EntityOption,
    IdOption,
    InfOption,
    KeepOption,
    KindOption,
    LabelOption,
    MissingOption,
    SchemaOption,
    TimeOption,
    WindowOption,
    schema_options,
)
from anomalo.cli.terminal.console import (
    ONE_THREAD,
    WORKSPACE,
    Console,
    DebugOption,
    DeviceOption,
    EncodingOption,
    HeaderOption,
    ImagesOption,
    JsonOption,
    LogJsonOption,
    MasksOption,
    SafeCsvOption,
    SheetOption,
    SourceArgument,
    ThreadsOption,
    WorkspaceOption,
    read_options,
)
from anomalo.cli.terminal.skill import of_images, show_skill
from anomalo.tabular.quantities import count

if TYPE_CHECKING:
    from anomalo.jobs.scanning.scan import Anomalies, ScanResult


def scan(
    source: SourceArgument,
    model: ModelOption = "auto",
    settings: SetOption = [],  # noqa: B006
    assume: AssumeOption = None,
    effort: EffortOption = None,
    drop: DropOption = [],  # noqa: B006
    identifier: IdOption = None,
    label: LabelOption = None,
    kind: KindOption = [],  # noqa: B006
    missing: MissingOption = [],  # noqa: B006
    keep: KeepOption = [],  # noqa: B006
    inf: InfOption = "error",
    schema: SchemaOption = None,
    time: TimeOption = None,
    entity: EntityOption = None,
    window: WindowOption = 0,
    causal: CausalOption = False,
    threshold: ThresholdOption = "share=0.01",
    safe_csv: SafeCsvOption = False,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    images: ImagesOption = None,
    masks: MasksOption = None,
    seed: SeedOption = 0,
    max_memory: MaxMemoryOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = ONE_THREAD,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Find the anomalous rows of a table, and impute missing values."""
    from anomalo.calibration.thresholds import Threshold
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.scanning.scan import complete, find
    from anomalo.pipeline.config import FitConfig

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet, images, masks)
    limit = Threshold.parse(threshold)
    options = schema_options(kind, drop, identifier, label, missing, keep, inf, schema, (time, entity, window, causal))
    asked, memory = parameters(settings, assume, effort), amount_of_memory(max_memory)
    config = FitConfig(model, seed=seed, device=device, settings=asked, announce=console.plan, max_memory=memory)
    with console.work("scanning", threads) as progress:
        found = find(JobContext.at(workspace, progress, reading=reading), source, config, options, limit)
    console.warn(found.warnings)
    if not as_json:
        _show_anomalies(found)
    with console.work("imputing", threads) as progress:
        result = complete(JobContext.at(workspace, progress, reading=reading), source, found, config, safe_csv=safe_csv)
    console.warn(text for text in result.warnings if text not in found.warnings)
    facts = {
        "evaluation": result.evaluation,
        "structure": list(result.structure),
        "impute": None if result.filled is None else result.filled.run.to_json(),
        "warnings": list(result.warnings),
    }
    console.result(summary(result.scored) | facts, lambda: _show_completed(result))


def _show_anomalies(found: Anomalies) -> None:
    """Print the anomalous rows at once: imputation takes longer."""
    show(found.scored, None)
    compared = found.evaluation
    if compared is not None:
        typer.echo(
            f"compared with the label: {compared['hits']} of {count(compared['alerts'], 'alert')} are "
            f"{compared['positive']!r}, and {compared['positives']:,} of all {count(compared['rows'], 'row')}\n"
            f"AUROC {compared['auroc']:.3f}, average precision {compared['ap']:.3f}"
        )
    for sentence in found.structure:
        typer.echo(f"table: {sentence}")
    sys.stdout.flush()


def _show_completed(result: ScanResult) -> None:
    record = result.fitted.record
    show_skill(record)
    if result.filled is not None:
        cells = sum(result.filled.filled.values())
        if result.filled.of_images:
            typer.echo(f"{count(cells, 'hidden pixel')} filled; images in {result.filled.table}")
        else:
            typer.echo(f"{count(cells, 'missing value')} imputed; the table is in {result.filled.run.path}")
    other = "FOLDER" if of_images(record) else "OTHER.csv"
    typer.echo(f"next: anomalo score {other} --with {record.name} -o scores.csv")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("scan")(scan)
