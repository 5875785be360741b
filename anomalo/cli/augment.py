"""`anomalo augment`."""

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
    ThreadsOption,
    WithOption,
    WorkspaceOption,
)
from anomalo.cli.fit import ConstraintOption, SeedOption, pairs
from anomalo.cli.printing import count

if TYPE_CHECKING:
    from anomalo.jobs.augment import AugmentResult


def augment(
    model: WithOption,
    rows: Annotated[int | None, typer.Option("-n", "--rows", metavar="N", help="How many rows to make.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="Where to write the table, if not in the run: .csv or .parquet."
        ),
    ] = None,
    where: Annotated[
        list[str],
        typer.Option("--where", metavar="COL=VALUE", help="A cell that all rows have; can be repeated."),
    ] = [],  # noqa: B006
    given: Annotated[
        str | None,
        typer.Option("--given", metavar="FILE", help="Some of the columns, row by row; the rest is made up."),
    ] = None,
    constraint: ConstraintOption = [],  # noqa: B006
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make synthetic rows with a saved generator."""
    from anomalo.jobs.augment import Wanted
    from anomalo.jobs.augment import augment as run_augment
    from anomalo.jobs.place import Place

    console = Console(as_json, log_json)
    with console.work("making rows", threads) as progress:
        place = Place.at(workspace, progress)
        wanted = Wanted(rows, pairs(where, "--where"), given, tuple(constraint), seed)
        result = run_augment(place, model, wanted, output=output, device=device)
    console.warn(result.warnings)
    console.result(result.run.to_json(), lambda: _show(result))


def _show(result: AugmentResult) -> None:
    typer.echo(f"{count(result.rows, 'synthetic row')} in {result.table}")
    redrawn = result.run.summary["redrawn"]
    if redrawn:
        typer.echo(f"{count(redrawn, 'row')} drawn again to satisfy the constraints")
    typer.echo(f"run {result.run.id} in {result.run.path}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("augment")(augment)
