"""`anomalo impute`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.terminal.console import (
    ONE_THREAD,
    WORKSPACE,
    AddressOption,
    Console,
    DebugOption,
    DeviceOption,
    EncodingOption,
    EngineOption,
    HeaderOption,
    ImagesOption,
    JsonOption,
    LogJsonOption,
    MasksOption,
    ResumeOption,
    SafeCsvOption,
    SheetOption,
    SourceArgument,
    StrictOption,
    ThreadsOption,
    WithOption,
    WorkersOption,
    WorkspaceOption,
    engine_choice,
    named_output,
    read_options,
)
from anomalo.cli.terminal.printing import table
from anomalo.cli.terminal.repeated import ForceOption, show_repeated
from anomalo.tabular.quantities import count

if TYPE_CHECKING:
    from anomalo.jobs.imputing.result import ImputeResult


def impute(
    source: SourceArgument,
    model: WithOption,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="Write the table here, not in the run's folder: .csv or .parquet."
        ),
    ] = None,
    draws: Annotated[
        int,
        typer.Option("--draws", metavar="K", min=0, help="Also draw each missing value K times (multiple imputation)."),
    ] = 0,
    safe_csv: SafeCsvOption = False,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    images: ImagesOption = None,
    masks: MasksOption = None,
    strict: StrictOption = False,
    resume: ResumeOption = False,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    address: AddressOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Impute the missing values of a table with a saved model."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.imputing.impute import cells_beside
    from anomalo.jobs.imputing.impute import impute as run_impute
    from anomalo.jobs.repeating import former_run

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet, images, masks)
    chosen = engine_choice(engine, workers, address, threads or ONE_THREAD)
    target = named_output(output, safe_csv)
    with console.work("imputing", threads or ONE_THREAD, resumable=True) as progress:
        context = JobContext.at(workspace, progress, reading=reading, strict=strict, engine=chosen)
        asked: dict[str, Any] = {"draws": draws, "safe_csv": safe_csv, "device": device}
        outputs = [target, cells_beside(target)] if target and draws else [target]
        former = former_run(context, "impute", asked, [source], models=[model], outputs=outputs, force=force)
        if former is None:
            result = run_impute(context, source, model, output=target, resume=resume, **asked)
    if former is not None:
        show_repeated(console, former, source)
        return
    console.warn(result.warnings)
    facts = result.run.to_json() | {"warnings": list(result.warnings)}
    console.result(facts, lambda: _show(result))


def _show(result: ImputeResult) -> None:
    cells = sum(result.filled.values())
    if result.of_images:
        typer.echo(f"{count(result.rows, 'image')}, {count(cells, 'hidden pixel')} filled; images in {result.table}")
    else:
        typer.echo(f"{count(result.rows, 'row')}, {count(cells, 'missing value')} imputed; table in {result.table}")
    if result.filled and not result.of_images:
        most_first = sorted(result.filled.items(), key=lambda item: -item[1])
        table(("column", "imputed"), [(name, f"{number:,}") for name, number in most_first], right=("imputed",))
    if result.of_images and not cells:
        typer.echo("no image has a mask: put NAME.mask.png beside NAME.png, or name their folder with --masks")
    typer.echo(f"run {result.run.id} in {result.run.path}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("impute")(impute)
