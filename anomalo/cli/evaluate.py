"""`anomalo evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.fit import SeedOption
from anomalo.cli.terminal.console import (
    WORKSPACE,
    Console,
    DebugOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LogJsonOption,
    SheetOption,
    ThreadsOption,
    WorkspaceOption,
    read_options,
)

if TYPE_CHECKING:
    from anomalo.jobs.synthesis.evaluate import EvaluateResult


def evaluate(
    synthetic: Annotated[str, typer.Option("--synthetic", metavar="FILE", help="The synthetic rows.")],
    real: Annotated[str, typer.Option("--real", metavar="FILE", help="The real rows that the generator learned.")],
    holdout: Annotated[
        str | None,
        typer.Option("--holdout", metavar="FILE", help="Real rows that the generator never saw, to detect copying."),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option("--test", metavar="FILE", help="Real rows to predict the label of, instead of the holdout."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            "--label", metavar="COL", help="A column to predict, to compare real and synthetic training rows."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Also write report.json and report.html to this folder."),
    ] = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Assess synthetic rows: similarity, usefulness and privacy."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.synthesis.evaluate import evaluate as run_evaluate

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet)
    with console.work("comparing", threads) as progress:
        context = JobContext.at(workspace, progress, reading=reading)
        result = run_evaluate(
            context, synthetic, real, holdout=holdout, test=test, label=label, output=output, seed=seed
        )
    console.warn(result.warnings)
    facts = {name: value for name, value in result.report.items() if name not in ("columns", "pairs")}
    facts |= {"run": result.run.id, "files": [str(path) for path in result.files], "warnings": list(result.warnings)}
    console.result(facts, lambda: _show(result))


def _show(result: EvaluateResult) -> None:
    assessment = result.report["assessment"]
    typer.echo(f"{assessment['title'][0].upper()}{assessment['title'][1:]}\n")
    for sentence in assessment["reasons"]:
        typer.echo(f"- {sentence}")
    if assessment["unchecked"]:
        typer.echo("\nnot checked:")
        for sentence in assessment["unchecked"]:
            typer.echo(f"- {sentence}")
    typer.echo(f"\nrun {result.run.id} in {result.run.path}; report in {result.files[-1]}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("evaluate")(evaluate)
