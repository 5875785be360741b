"""`anomalo demo`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import typer

from anomalo.cli.console import (
    WORKSPACE,
    Console,
    DebugOption,
    DeviceOption,
    JsonOption,
    LogJsonOption,
    ThreadsOption,
    WorkspaceOption,
    table,
)
from anomalo.cli.score import show, summary

if TYPE_CHECKING:
    from anomalo.jobs.demo import DemoResult


def demo(
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Run the main job on a bundled real table: find strange patients, say why, fill the holes."""
    from anomalo.jobs import place
    from anomalo.jobs.demo import demo as run_demo

    console = Console(as_json, log_json)
    with console.progress("learning 3,163 patients") as progress, place.threads(threads):
        result = run_demo(place.Place.at(workspace, progress), device=device)
    console.warn(result.scan.warnings)
    console.result(_facts(result), lambda: _show(result))


def _facts(result: DemoResult) -> dict[str, object]:
    return {
        "score": summary(result.scan.scored),
        "evaluation": result.scan.evaluation,
        "impute": result.filled.run.to_json(),
        "hidden": [dataclasses.asdict(column) for column in result.hidden],
    }


def _show(result: DemoResult) -> None:
    scored, evaluation = result.scan.scored, result.scan.evaluation
    typer.echo("3,163 thyroid patients, 25 columns; the diagnosis was hidden from the model.\n")
    show(scored, None)
    if evaluation is not None:
        found, alerts = evaluation["hits"], evaluation["alerts"]
        typer.echo(
            f"\nAgainst the hidden diagnosis: {found} of {alerts} alerts are hypothyroid "
            f"({100 * found / max(alerts, 1):.0f} %; {evaluation['positives']} of 3,163 patients are). "
            f"AUROC {evaluation['auroc']:.3f}, average precision {evaluation['ap']:.3f}."
        )
    filled = result.filled
    columns = ", ".join(f"{name} {count}" for name, count in sorted(filled.filled.items(), key=lambda i: -i[1])[:5])
    typer.echo(f"\n{sum(filled.filled.values())} missing cells were filled ({columns}, ...).")
    typer.echo("Known cells were hidden and predicted by models that never saw the row; error beside mean or mode:")
    numbers = [column for column in result.hidden if column.kind == "number"]
    levels = [column for column in result.hidden if column.kind == "category"]
    table(
        ("column", "error", "mean", "less error"),
        [
            (c.column, f"{c.error:.2f}", f"{c.baseline:.2f}", f"{100 * (1 - c.error / c.baseline):.0f} %")
            for c in numbers
        ],
        right=("error", "mean", "less error"),
    )
    wrong = sum(c.error for c in levels) / max(len(levels), 1)
    mode = sum(c.baseline for c in levels) / max(len(levels), 1)
    typer.echo(f"{len(levels)} category columns: {100 * wrong:.1f} % of levels wrong, by mode {100 * mode:.1f} %.")
    typer.echo(f"\nThe filled table is {filled.run.path / 'filled.csv'}")
    typer.echo("Next: anomalo runs, anomalo models, or anomalo scan YOUR_FILE.csv")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)
