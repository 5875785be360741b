"""`anomalo score` and `anomalo explain`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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
from anomalo.cli.terminal.printing import numbers, probabilities, shortened, table
from anomalo.cli.terminal.repeated import ForceOption, show_repeated
from anomalo.errors import GateError, UsageError
from anomalo.tabular.quantities import count, percent

if TYPE_CHECKING:
    from anomalo.calibration.thresholds import Threshold
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.scoring.score import ScoreResult
    from anomalo.tabular.writing.destination import Output
    from anomalo.workspace.records import RunRecord

RULES = (
    "Which rows are alerts: share=0.01 (of normal rows), fdr=0.05 (of the alerts are false) or budget=100 "
    "(the most anomalous rows)"
)
ThresholdOption = Annotated[str, typer.Option("--threshold", metavar="RULE", help=f"{RULES}.")]
SavedThresholdOption = Annotated[
    str | None,
    typer.Option("--threshold", metavar="RULE", help=f"{RULES}; default: as saved with the model, else share=0.01."),
]
ExplainOption = Annotated[
    int,
    typer.Option(
        "--explain", metavar="N", min=0, help="Give reasons for the N most anomalous rows besides the alerts."
    ),
]
ShadowOption = Annotated[
    str | None,
    typer.Option(
        "--shadow", metavar="ID", help="A saved model that scores the same rows beside, to compare its alerts."
    ),
]
FailOverOption = Annotated[
    int | None, typer.Option("--fail-over", metavar="N", min=0, help="Exit with 3 if there are more than N alerts.")
]
FollowOption = Annotated[
    bool,
    typer.Option("--follow", help="Score rows of a series as they are appended to SOURCE, until Ctrl-C; OUT grows."),
]
MetricsOption = Annotated[
    Path | None, typer.Option("--metrics", metavar="FILE", help="Also write figures of the run as OpenMetrics text.")
]


def score(
    source: SourceArgument,
    model: WithOption,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="OUT", help="Also write the scores to this file: .csv or .parquet."),
    ] = None,
    threshold: SavedThresholdOption = None,
    explain: ExplainOption = 1000,
    fail_over: FailOverOption = None,
    shadow: ShadowOption = None,
    metrics: MetricsOption = None,
    safe_csv: SafeCsvOption = False,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    images: ImagesOption = None,
    masks: MasksOption = None,
    strict: StrictOption = False,
    follow: FollowOption = False,
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
    """Score the rows of a table with a saved model."""
    from anomalo.calibration.thresholds import Threshold
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.keeping.thresholds import used_threshold
    from anomalo.jobs.repeating import former_run
    from anomalo.jobs.scoring.score import score as run_score

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet, images, masks)
    chosen = engine_choice(engine, workers, address, threads or ONE_THREAD)
    given, target = None if threshold is None else Threshold.parse(threshold), named_output(output, safe_csv)
    if follow:
        opened = JobContext.at(workspace, reading=reading, strict=strict)
        _follow(console, opened, source, model, target, given, device=device, resume=resume)
        return
    with console.work("scoring", threads or ONE_THREAD, resumable=True) as progress:
        context = JobContext.at(workspace, progress, reading=reading, strict=strict, engine=chosen)
        context.notes = (limit := used_threshold(context.store, model, given)).note
        asked: dict[str, Any] = {"threshold": limit.threshold, "explain": explain, "shadow": shadow}
        asked |= {"safe_csv": safe_csv, "device": device}
        former = former_run(context, "score", asked, [source], models=[model, shadow], outputs=[target], force=force)
        if former is None:
            result = run_score(context, source, model, output=target, resume=resume, **asked)
    if former is None:
        console.warn(result.warnings)
        console.result(summary(result), lambda: show(result, target))
    else:
        show_repeated(console, former, source)
    _finish(former or result.run, target, fail_over, metrics)


def _follow(
    console: Console,
    context: JobContext,
    source: str,
    model: str,
    target: Output | None,
    given: Threshold | None,
    **asked: Any,
) -> None:
    """Score rows as they come, and print how many there were."""
    from anomalo.jobs.keeping.thresholds import used_threshold
    from anomalo.jobs.series.follow import follow

    if not isinstance(target, Path):
        raise UsageError("--follow appends to a file of this machine; name it by -o")
    limit = used_threshold(context.store, model, given).threshold
    with console.work("following", ONE_THREAD):
        found = follow(context, source, model, target, limit, say=console.warn, **asked)
    rows, alerts = count(found.rows, "row"), count(found.alerts, "alert")
    apart = f"; {count(found.changes, 'lasting change')} apart from them" if found.changes else ""
    later = f"; {count(found.waiting, 'row')} wait for later ones" if found.waiting else ""
    said = f"{rows} scored, {alerts} at {limit}{apart}; in {target}{later}"
    console.result(found.to_json(), lambda: typer.echo(said))


def _finish(run: RunRecord, output: Output | None, fail_over: int | None, metrics: Path | None) -> None:
    """Write the metrics of a scoring, and end with the gate if it is hit."""
    if metrics is not None:
        from anomalo.jobs.daily.metrics import write_metrics

        write_metrics(metrics, run)
    from anomalo.jobs.scoring.events import events

    number, said = events(run.summary)
    if fail_over is not None and number > fail_over:
        where = output or run.path / "scores.parquet"
        raise GateError(f"{said}, more than --fail-over {fail_over}; the scores are in {where}")


def summary(result: ScoreResult) -> dict[str, Any]:
    """Return the result of a score run, JSON-ready."""
    return result.run.to_json() | {"top": result.top, "warnings": list(result.warnings)}


def at_threshold(facts: Mapping[str, Any]) -> str:
    """Return the threshold of a run by its summary, and with which version it is saved if no other was given."""
    saved_with = facts.get("threshold_of")
    return f"at {facts['threshold']}" + (f", the threshold saved with {saved_with}" if saved_with else "")


def show(result: ScoreResult, output: Output | None, rows: int = 5) -> None:
    """Print the number of alerts, and the most anomalous rows with their reasons."""
    from anomalo.jobs.images.kept import has_pictures
    from anomalo.jobs.images.pictures import FOLDER as PICTURES

    facts = result.run.summary
    within = f" in {count(facts['intervals'], 'interval')}" if "intervals" in facts else ""
    apart = f"; {count(facts['changes'], 'lasting change')} apart from them" if facts.get("changes") else ""
    alerts = f"{count(facts['alerts'], 'alert')}{within} {at_threshold(facts)}{apart}"
    typer.echo(f"{count(facts['rows'], 'row')}, {alerts}\n")
    top = result.top[:rows]
    names = [name for name in top[0] if name not in ROW] if top else []
    scores, p_values = numbers([row["score"] for row in top]), probabilities([row["p_value"] for row in top])
    table(
        ("row", *names, "score", "p-value", "alert", "reasons"),
        [
            (
                row["row"],
                *(shortened(str(row[name])) for name in names),
                score,
                p_value,
                "yes" if row["alert"] else "",
                reason_lines(row["reasons"]),
            )
            for row, score, p_value in zip(top, scores, p_values, strict=True)
        ],
        right=("row", "score", "p-value"),
    )
    typer.echo(f"\nrun {result.run.id} in {result.run.path}" + (f"; scores in {output}" if output else ""))
    if has_pictures(result.run.path):
        typer.echo(f"heat maps in {result.run.path / PICTURES}")
    if facts.get("feedback", {}).get("alerts"):
        accepted = count(facts["feedback"]["alerts"], "row")
        typer.echo(
            f"feedback: {accepted} would be alerts but for reviews of rows like them; see accepted.parquet there"
        )
    if "shadow" in facts:
        typer.echo("\n".join(_beside(facts["shadow"])))


def _beside(facts: dict[str, Any]) -> list[str]:
    """Return sentences on how the alerts of a challenger compare."""
    kappa, correlation = (
        "undefined" if facts[name] is None else f"{facts[name]:.2f}" for name in ("kappa", "rank_correlation")
    )
    found = [
        f"shadow {facts['model']}: {count(facts['alerts'], 'alert')}; the same decision on "
        f"{percent(facts['agreement'])} of the rows (Cohen's kappa {kappa}), rank correlation of scores {correlation}"
    ]
    for name in ("gained", "lost"):
        first = facts[f"first_{name}"]
        rows = ", ".join([*map(str, first), *(["…"] if facts[name] > len(first) else [])])
        found.append(f"  {count(facts[name], 'alert')} {name}" + (f": rows {rows}" if rows else ""))
    return found


ROW = ("row", "score", "p_value", "alert", "reasons")


def reason_lines(reasons: list[dict[str, Any]], most: int = 3) -> list[str]:
    """Return a line for each reason of a row's score, the largest contributions first.

    Examples
    --------
    >>> reason_lines([{"column": "TSH", "contribution": 9.0, "observed": "145", "expected": "1.2"}])
    ['TSH is 145, expected 1.2']
    """
    import pyarrow as pa

    from anomalo.tabular.wording import reason_texts

    cells = []
    for reason in reasons[:most]:
        observed, expected = reason["observed"], reason["expected"]
        differs = expected not in (None, observed)
        cells.append((reason["column"], shortened(observed), shortened(expected or None) if differs else None))
    columns = list(zip(*cells, strict=True)) or [(), (), ()]
    texts: list[str] = reason_texts(*(pa.array(column, pa.string()) for column in columns)).to_pylist()
    return texts


def explain(
    source: SourceArgument,
    model: WithOption,
    row: Annotated[int, typer.Option("--row", metavar="N", min=0, help="The row's number, counted from 0.")],
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="A run that scored this table: the explanation is kept in it, too."),
    ] = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    images: ImagesOption = None,
    masks: MasksOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Explain the score of one row, cell by cell."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.scoring.explain import explain as run_explain

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet, images, masks)
    with console.work("explaining", threads):
        found = run_explain(JobContext.at(workspace, reading=reading), source, model, row, device=device, run=run)
    console.result(found, lambda: _show_cells(found))


def _show_cells(found: dict[str, Any]) -> None:
    from anomalo.tabular.quantities import unit_of
    from anomalo.tabular.wording import interval_text
    from anomalo.tabular.writing.digits import apart

    (score,), (p_value,) = numbers([found["score"]]), probabilities([found["p_value"]])
    path = f" ({found['path']})" if "path" in found else ""
    typer.echo(f"row {found['row']}{path}: score {score}, p-value {p_value}\n")
    cells = found["cells"]
    contributions = numbers([cell["contribution"] for cell in cells], 3)
    texts = [apart(cell["observed"], cell["expected"]) for cell in cells]
    lines = [
        (cell["column"], part, shortened(observed), "" if expected is None else shortened(expected or None))
        for cell, part, (observed, expected) in zip(cells, contributions, texts, strict=True)
    ]
    if path:  # its pixels have no intervals
        table(("region", "contribution", "observed", "expected"), lines, right=("contribution",))
        return
    intervals = [interval_text(cell["low"], cell["high"], cell["kind"], unit_of(cell.get("unit"))) for cell in cells]
    table(
        ("column", "contribution", "observed", "expected", "90 % interval"),
        [(*line, interval) for line, interval in zip(lines, intervals, strict=True)],
        right=("contribution",),
    )


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("score")(score)
    app.command("explain")(explain)
