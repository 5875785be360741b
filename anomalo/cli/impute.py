"""`anomalo impute`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.terminal.console import (
    WORKSPACE,
    Console,
    DebugOption,
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LogJsonOption,
    ResumeOption,
    SafeCsvOption,
    SheetOption,
    SourceArgument,
    StrictOption,
    ThreadsOption,
    WithOption,
    WorkspaceOption,
    read_options,
)
from anomalo.cli.terminal.printing import table
from anomalo.tabular.quantities import count

if TYPE_CHECKING:
    from anomalo.jobs.imputing.impute import ImputeResult


def impute(
    source: SourceArgument,
    model: WithOption,
    output: Annotated[
        Path | None,
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
    strict: StrictOption = False,
    resume: ResumeOption = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Impute the missing values of a table with a saved model."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.imputing.impute import impute as run_impute

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet)
    with console.work("imputing", threads, resumable=True) as progress:
        context = JobContext.at(workspace, progress, reading=reading, strict=strict)
        result = run_impute(
            context, source, model, output=output, draws=draws, safe_csv=safe_csv, device=device, resume=resume
        )
    console.warn(result.warnings)
    facts = result.run.to_json() | {"warnings": list(result.warnings)}
    console.result(facts, lambda: _show(result))


def _show(result: ImputeResult) -> None:
    cells = count(sum(result.filled.values()), "missing value")
    typer.echo(f"{count(result.rows, 'row')}, {cells} imputed; table in {result.table}")
    if result.filled:
        most_first = sorted(result.filled.items(), key=lambda item: -item[1])
        table(("column", "imputed"), [(name, f"{number:,}") for name, number in most_first], right=("imputed",))
    typer.echo(f"run {result.run.id} in {result.run.path}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("impute")(impute)
