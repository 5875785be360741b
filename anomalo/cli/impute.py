"""`anomalo impute`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.console import (
    WORKSPACE,
    Console,
    DebugOption,
    DeviceOption,
    JsonOption,
    LogJsonOption,
    SourceArgument,
    ThreadsOption,
    WithOption,
    WorkspaceOption,
    table,
)

if TYPE_CHECKING:
    from anomalo.jobs.impute import ImputeResult


def impute(
    source: SourceArgument,
    model: WithOption,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write the table: .csv or .parquet.")],
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Fill the missing cells of a table with a saved model."""
    from anomalo.jobs import place
    from anomalo.jobs.impute import impute as run_impute

    console = Console(as_json, log_json)
    with console.progress("filling") as progress, place.threads(threads):
        result = run_impute(place.Place.at(workspace, progress), source, model, output=output, device=device)
    console.warn(result.warnings)
    console.result(
        result.run.to_json() | {"warnings": list(result.warnings)}, lambda: show(result, f"table in {output}")
    )


def show(result: ImputeResult, where: str) -> None:
    """Print how many cells of which columns were filled."""
    total = sum(result.filled.values())
    typer.echo(f"{result.rows} rows, {total} missing cells filled; {where}")
    if result.filled:
        table(("column", "filled"), sorted(result.filled.items(), key=lambda item: -item[1]), right=("filled",))


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("impute")(impute)
