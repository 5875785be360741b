"""`anomalo scan`, `anomalo score` and `anomalo explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from anomalo.cli.fit import DropOption, IdOption, LabelOption, ModelOption, SeedOption
from anomalo.errors import GateError

if TYPE_CHECKING:
    from anomalo.jobs.score import ScoreResult

ThresholdOption = Annotated[
    str, typer.Option("--threshold", help="share=0.01 (of normal rows), fdr=0.05 or budget=100 (rows).")
]


def score(
    source: SourceArgument,
    model: WithOption,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write the scores: .csv or .parquet.")],
    threshold: ThresholdOption = "share=0.01",
    explain: Annotated[
        int, typer.Option("--explain", min=0, help="Give reasons for this many rows, and alerts.")
    ] = 1000,
    fail_over: Annotated[
        int | None, typer.Option("--fail-over", min=0, help="Exit 3 if there are more alerts.")
    ] = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Score a table with a saved model."""
    from anomalo.jobs import place
    from anomalo.jobs.score import score as run_score
    from anomalo.scoring import Threshold

    console = Console(as_json, log_json)
    limit = Threshold.parse(threshold)
    with console.progress("scoring") as progress, place.threads(threads):
        at = place.Place.at(workspace, progress)
        result = run_score(at, source, model, output=output, threshold=limit, explain=explain, device=device)
    console.warn(result.warnings)
    console.result(summary(result), lambda: show(result, output))
    alerts = int(result.alert.sum())
    if fail_over is not None and alerts > fail_over:
        raise GateError(f"{alerts} alerts, more than --fail-over {fail_over}; the scores were written to {output}")


def summary(result: ScoreResult) -> dict[str, Any]:
    """Return what a score run found, JSON-ready."""
    return result.run.to_json() | {"top": result.top, "warnings": list(result.warnings)}


def show(result: ScoreResult, output: Path | None, rows: int = 5) -> None:
    """Print the count of alerts and the strangest rows with their reasons in plain words."""
    facts = result.run.summary
    typer.echo(f"{facts['rows']} rows, {facts['alerts']} alerts at {facts['threshold']}")
    table(
        ("row", "score", "p-value", "alert", "because"),
        [
            (top["row"], f"{top['score']:.2f}", f"{top['p_value']:.4f}", "yes" if top["alert"] else "", words(top))
            for top in result.top[:rows]
        ],
        right=("row", "score", "p-value"),
    )
    typer.echo(f"run {result.run.id} in {result.run.path}" + (f"; scores in {output}" if output else ""))


def words(top: dict[str, Any], count: int = 3) -> str:
    """Say in plain words which cells make a row strange.

    Examples
    --------
    >>> reason = {"column": "TSH", "contribution": 9.0, "observed": "145", "expected": "1.2"}
    >>> words({"reasons": [reason]})
    'TSH is 145, expected 1.2'
    """
    parts = []
    for reason in top["reasons"][:count]:
        observed = "missing" if reason["observed"] is None else reason["observed"]
        same = observed == reason["expected"]
        parts.append(f"{reason['column']} is {observed}" + ("" if same else f", expected {reason['expected']}"))
    return "; ".join(parts)


def explain(
    source: SourceArgument,
    model: WithOption,
    row: Annotated[int, typer.Option("--row", min=0, help="The row's number, counted from 0.")],
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say why one row is strange, cell by cell."""
    from anomalo.jobs import place
    from anomalo.jobs.explain import explain as run_explain

    console = Console(as_json, log_json)
    with place.threads(threads):
        found = run_explain(place.Place.at(workspace), source, model, row, device=device)

    def show_cells() -> None:
        typer.echo(f"row {row}: score {found['score']:.2f}, p-value {found['p_value']:.4f}")
        table(
            ("column", "contribution", "observed", "expected", "90 % interval"),
            [_cell(cell) for cell in found["cells"]],
            right=("contribution",),
        )

    console.result(found, show_cells)


def _cell(cell: dict[str, Any]) -> tuple[str, ...]:
    interval = "" if cell["low"] is None else f"{cell['low']:.4g} to {cell['high']:.4g}"
    observed = "missing" if cell["observed"] is None else cell["observed"]
    return cell["column"], f"{cell['contribution']:.3f}", observed, cell["expected"], interval


def scan(
    source: SourceArgument,
    model: ModelOption = "undercomplete",
    drop: DropOption = [],  # noqa: B006
    identifier: IdOption = None,
    label: LabelOption = None,
    threshold: ThresholdOption = "share=0.01",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Fit, score and print the strangest rows of a table; nothing to set up."""
    from anomalo.fitted import Plan
    from anomalo.jobs import place
    from anomalo.jobs.scan import scan as run_scan
    from anomalo.schema import SchemaOptions
    from anomalo.scoring import Threshold

    console = Console(as_json, log_json)
    limit = Threshold.parse(threshold)
    with console.progress("scanning") as progress, place.threads(threads):
        at = place.Place.at(workspace, progress)
        options = SchemaOptions(drop=tuple(drop), id=identifier, label=label)
        result = run_scan(at, source, Plan(model, seed=seed, device=device), options, limit)
    console.warn(result.warnings)
    console.result(
        summary(result.scored) | {"evaluation": result.evaluation}, lambda: _show_scan(result.scored, result.evaluation)
    )


def _show_scan(scored: ScoreResult, evaluation: dict[str, float] | None) -> None:
    show(scored, None)
    if evaluation is not None:
        typer.echo(f"against the label: AUROC {evaluation['auroc']:.3f}, average precision {evaluation['ap']:.3f}")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("scan")(scan)
    app.command("score")(score)
    app.command("explain")(explain)
