"""`anomalo demo`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import typer

from anomalo.cli.score import show, summary
from anomalo.cli.terminal.console import (
    ONE_THREAD,
    WORKSPACE,
    Console,
    DebugOption,
    DeviceOption,
    JsonOption,
    LogJsonOption,
    ThreadsOption,
    WorkspaceOption,
)
from anomalo.cli.terminal.printing import table
from anomalo.tabular.quantities import count, percent

if TYPE_CHECKING:
    from anomalo.jobs.imputing.result import ImputeResult
    from anomalo.jobs.scanning.demo import DemoResult, HiddenError


def demo(
    device: DeviceOption = "auto",
    threads: ThreadsOption = ONE_THREAD,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Find anomalous patients in a bundled table, and impute it."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.scanning.demo import demo as run_demo

    console = Console(as_json, log_json)
    with console.work("analysing 3,163 patients", threads) as progress:
        result = run_demo(JobContext.at(workspace, progress), device=device)
    console.warn(result.scan.warnings)
    console.result(_facts(result), lambda: _show(result))


def _facts(result: DemoResult) -> dict[str, Any]:
    return {
        "score": summary(result.scan.scored),
        "evaluation": result.scan.evaluation,
        "impute": result.filled.run.to_json(),
        "hidden": [dataclasses.asdict(column) for column in result.hidden],
    }


def _show(result: DemoResult) -> None:
    record, evaluation = result.scan.fitted.record, result.scan.evaluation
    typer.echo(
        f"{record.rows:,} thyroid patients, {record.columns} columns; the diagnosis was hidden from the model.\n"
    )
    show(result.scan.scored, None)
    if evaluation is not None:
        hits, alerts = evaluation["hits"], evaluation["alerts"]
        typer.echo(
            f"\nCompared with the hidden diagnosis: {hits} of {count(alerts, 'alert')} are {evaluation['positive']} "
            f"({100 * hits / max(alerts, 1):.0f} %),\nand {evaluation['positives']} of all patients "
            f"({100 * evaluation['positives'] / evaluation['rows']:.0f} %). "
            f"AUROC {evaluation['auroc']:.3f}, average precision {evaluation['ap']:.3f}."
        )
    _show_imputed(result.filled)
    _show_hidden([c for c in result.hidden if c.kind == "number"], [c for c in result.hidden if c.kind != "number"])
    typer.echo(f"\nThe imputed table is {result.filled.run.path / 'filled.csv'}")
    typer.echo("Next: anomalo scan YOUR_FILE.csv, anomalo models, anomalo runs")


def _show_imputed(filled: ImputeResult) -> None:
    most_first = sorted(filled.filled.items(), key=lambda item: -item[1])
    columns = ", ".join(f"{name} {number:,}" for name, number in most_first[:5])
    more = "" if len(most_first) <= 5 else ", …"
    typer.echo(f"\n{count(sum(filled.filled.values()), 'missing value')} imputed ({columns}{more}).")


def _show_hidden(numbers: list[HiddenError], categories: list[HiddenError]) -> None:
    typer.echo("\nTo measure the error, known cells were hidden and predicted by models not trained on their rows.\n")
    table(
        ("column", "error", "error of the mean", "reduction"),
        [
            (c.column, f"{c.error:.2f}", f"{c.baseline:.2f}", f"{round(100 * (1 - c.error / c.baseline))} %")
            for c in numbers
        ],
        right=("error", "error of the mean", "reduction"),
    )
    if categories:
        wrong, by_mode = (sum(errors) / len(categories) for errors in zip(*map(_errors, categories), strict=True))
        typer.echo(
            f"\n{len(categories)} category columns: {percent(wrong)} of the predicted levels are wrong, "
            f"of the most frequent levels {percent(by_mode)}."
        )


def _errors(column: HiddenError) -> tuple[float, float]:
    return column.error, column.baseline


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)
