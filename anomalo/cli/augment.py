"""`anomalo augment`."""

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
    ThreadsOption,
    WorkspaceOption,
)
from anomalo.cli.fit import ConstraintOption, SeedOption, pairs
from anomalo.cli.printing import count, table
from anomalo.errors import UsageError

if TYPE_CHECKING:
    from anomalo.jobs.synthesis.advise import AdviseResult
    from anomalo.jobs.synthesis.augment import AugmentResult

NAMES = {"none": "the rows as they are", "weights": "weighted classes"}


def augment(
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="A table, for --advise only.", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option("--with", metavar="ID", help="A saved model: ID, ID@3 or ID@tag.")
    ] = None,
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
    advise: Annotated[
        bool,
        typer.Option("--advise", help="Make no rows: say whether any would help to learn the rare value of --label."),
    ] = False,
    label: Annotated[
        str | None, typer.Option("--label", metavar="COL", help="The column that says what a row is, for --advise.")
    ] = None,
    tried: Annotated[
        list[str],
        typer.Option("--model", metavar="NAME", help="A generator to try, for --advise; can be repeated."),
    ] = [],  # noqa: B006
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make synthetic rows, or say whether they would help."""
    console = Console(as_json, log_json)
    if advise:
        if model is not None or rows is not None or output is not None or where or given is not None or constraint:
            raise UsageError("--advise makes no rows: it takes SOURCE, --label, --model and --seed alone")
        _advise(console, source, label, tuple(tried), seed, threads, workspace)
        return
    if model is None or source is not None or label is not None or tried:
        raise UsageError("augment --with ID -n N makes rows; augment SOURCE --advise --label COL says if they help")
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.synthesis.augment import SampleRequest
    from anomalo.jobs.synthesis.augment import augment as run_augment

    with console.work("making rows", threads) as progress:
        context = JobContext.at(workspace, progress)
        wanted = SampleRequest(rows, pairs(where, "--where"), given, tuple(constraint), seed)
        result = run_augment(context, model, wanted, output=output, device=device)
    console.warn(result.warnings)
    console.result(result.run.to_json(), lambda: _show(result))


def _advise(
    console: Console,
    source: str | None,
    label: str | None,
    tried: tuple[str, ...],
    seed: int,
    threads: int | None,
    workspace: Path,
) -> None:
    if source is None or label is None:
        raise UsageError("--advise needs a table and its label: anomalo augment SOURCE --advise --label COL")
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.synthesis.advise import advise as run_advise
    from anomalo.pipeline.augmentation_study import GENERATORS
    from anomalo.tabular.schema import SchemaOptions

    with console.work("trying", threads) as progress:
        context = JobContext.at(workspace, progress)
        options = SchemaOptions(label=label)
        result = run_advise(context, source, options, generators=tried or GENERATORS, seed=seed)
    console.result(result.run.to_json(), lambda: _show_advice(result))


def _show_advice(result: AdviseResult) -> None:
    facts = result.run.summary
    typer.echo(
        f"{count(facts['positives'], 'row')} of {facts['rows']:,} have {facts['label']} = {facts['positive']}; "
        "trained without and with more of them, judged on rows held out:"
    )
    columns = ("training with", "average precision", "gain", "95 % interval", "parts", "seconds")
    table(columns, [_line(trial) for trial in facts["trials"]], right=columns[1:])
    if any(trial["hopeless"] for trial in facts["trials"]):
        typer.echo("fewer parts: given up there, since no outcome of the others could have made the gain certain")
    typer.echo(f"\n{facts['verdict']}")


def _line(trial: dict[str, Any]) -> tuple[str, ...]:
    if trial["failure"]:
        return (trial["method"], "failed", "", "", "", "")
    told = (
        () if trial["method"] == "none" else (f"{trial['gain']:+.3f}", f"{trial['low']:+.3f} to {trial['high']:+.3f}")
    )
    return (
        NAMES.get(trial["method"], f"rows of {trial['method']}"),
        "" if trial["hopeless"] else f"{trial['average_precision']:.3f}",
        *(told or ("", "")),
        str(trial["parts"]),
        f"{trial['seconds']:.1f}",
    )


def _show(result: AugmentResult) -> None:
    typer.echo(f"{count(result.rows, 'synthetic row')} in {result.table}")
    redrawn = result.run.summary["redrawn"]
    if redrawn:
        typer.echo(f"{count(redrawn, 'row')} drawn again to satisfy the constraints")
    typer.echo(f"run {result.run.id} in {result.run.path}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("augment")(augment)
