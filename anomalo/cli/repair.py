"""`anomalo repair`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.score import SavedThresholdOption, at_threshold
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
    JsonOption,
    LogJsonOption,
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
from anomalo.cli.terminal.printing import numbers, shortened, table
from anomalo.cli.terminal.repeated import ForceOption, show_repeated
from anomalo.tabular.quantities import count
from anomalo.tabular.writing.digits import apart

if TYPE_CHECKING:
    from anomalo.jobs.imputing.repair import RepairResult

SHOWN = 5
"""Rows that are printed."""


def repair(
    source: SourceArgument,
    model: WithOption,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Also write the suggestions to this file, or write the table with --apply: .csv or .parquet.",
        ),
    ] = None,
    threshold: SavedThresholdOption = None,
    cells: Annotated[int, typer.Option("--cells", metavar="N", min=1, help="Replace at most N cells of a row.")] = 5,
    apply: Annotated[bool, typer.Option("--apply", help="Write the table with the suggested cells replaced.")] = False,
    safe_csv: SafeCsvOption = False,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
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
    """Suggest the fewest cells to replace to make alerts normal."""
    from anomalo.calibration.thresholds import Threshold
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.imputing.repair import repair as run_repair
    from anomalo.jobs.keeping.thresholds import used_threshold
    from anomalo.jobs.repeating import former_run

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet)
    chosen = engine_choice(engine, workers, address, threads or ONE_THREAD)
    given, target = None if threshold is None else Threshold.parse(threshold), named_output(output, safe_csv)
    with console.work("repairing", threads or ONE_THREAD, resumable=True) as progress:
        context = JobContext.at(workspace, progress, reading=reading, strict=strict, engine=chosen)
        limit = used_threshold(context.store, model, given)
        context.notes = limit.note
        asked: dict[str, Any] = {"threshold": limit.threshold, "most": cells, "apply": apply}
        asked |= {"safe_csv": safe_csv, "device": device}
        former = former_run(context, "repair", asked, [source], models=[model], outputs=[target], force=force)
        if former is None:
            result = run_repair(context, source, model, output=target, resume=resume, **asked)
    if former is not None:
        show_repeated(console, former, source)
        return
    console.warn(result.warnings)
    facts = result.run.to_json() | {"top": result.top, "warnings": list(result.warnings)}
    console.result(facts, lambda: _show(result))


def _show(result: RepairResult) -> None:
    facts = result.run.summary
    alerts, repaired = facts["alerts"], facts["repaired"]
    typer.echo(f"{count(facts['rows'], 'row')}, {count(alerts, 'alert')} {at_threshold(facts)}")
    if alerts:
        cells = count(sum(facts["replaced"].values()), "cell")
        typer.echo(f"{repaired:,} of them would be normal with {cells} replaced{_without_repair(facts)}\n")
        top = result.top[:SHOWN]
        before, after = (numbers([row[name] or 0.0 for row in top]) for name in ("score_before", "score_after"))
        table(
            ("row", "score", "after repair", "cells to replace"),
            [(row["row"], *scores, _replacements(row)) for row, *scores in zip(top, before, after, strict=True)],
            right=("row", "score", "after repair"),
        )
    what = "repaired table" if facts["applied"] else "suggestions"
    typer.echo(f"\nrun {result.run.id} in {result.run.path}; {what} in {result.table}")


def _without_repair(facts: dict[str, Any]) -> str:
    left = facts["alerts"] - facts["repaired"]
    have = "has" if left == 1 else "have"
    return f"; {left:,} {have} no repair of {count(facts['most'], 'cell')} or fewer" if left else ""


def _replacements(row: dict[str, Any]) -> list[str]:
    """Return a line for each cell to replace, with its value after and before.

    Examples
    --------
    >>> _replacements({"cells": [{"column": "TSH", "before": "145", "after": "1.2"}]}), _replacements({"cells": []})
    (['TSH: 1.2 instead of 145'], ['no repair found'])
    """
    texts = [(cell["column"], *apart(cell["before"], cell["after"])) for cell in row["cells"]]
    return [f"{name}: {shortened(after)} instead of {shortened(before)}" for name, before, after in texts] or [
        "no repair found"
    ]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("repair")(repair)
