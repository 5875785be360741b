"""`anomalo augment`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.fit import ConstraintOption, SeedOption
from anomalo.cli.terminal.columns import pairs
from anomalo.cli.terminal.console import (
    WORKSPACE,
    Console,
    DebugOption,
    DeviceOption,
    EncodingOption,
    HeaderOption,
    ImagesOption,
    JsonOption,
    LogJsonOption,
    SafeCsvOption,
    SheetOption,
    ThreadsOption,
    WorkspaceOption,
    named_output,
    read_options,
)
from anomalo.cli.terminal.printing import table
from anomalo.cli.terminal.repeated import ForceOption, show_repeated
from anomalo.errors import UsageError
from anomalo.tabular.quantities import count

if TYPE_CHECKING:
    from anomalo.jobs.synthesis.advise import AdviseResult
    from anomalo.jobs.synthesis.augment import AugmentResult
    from anomalo.tabular.read_options import ReadOptions

NAMES = {"none": "real rows", "weights": "real rows, weighted"}
"""What a classifier is trained on, where no generator is tried."""

TableArgument = Annotated[
    str | None, typer.Argument(metavar="[SOURCE]", help="A table, or images, for --advise only.", show_default=False)
]
GeneratorOption = Annotated[
    str | None, typer.Option("--with", metavar="ID", help="The saved generator: ID, ID@VERSION or ID@TAG.")
]
RowsOption = Annotated[
    int | None, typer.Option("-n", "--rows", metavar="N", help="How many rows to draw; of a series, windows.")
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="OUT", help="Write here, not in the run's folder: .csv or .parquet; images: a folder."
    ),
]
WhereOption = Annotated[
    list[str], typer.Option("--where", metavar="COL=VALUE", help="A cell that all rows have; can be repeated.")
]
GivenOption = Annotated[
    str | None,
    typer.Option("--given", metavar="FILE", help="Some of the columns, row by row; the other cells are drawn."),
]
AdviseOption = Annotated[
    bool,
    typer.Option(
        "--advise", help="Draw no rows: report whether synthetic rows would help to learn the rare value of --label."
    ),
]
RareLabelOption = Annotated[
    str | None, typer.Option("--label", metavar="COL", help="The column to predict, for --advise.")
]
TriedOption = Annotated[
    list[str], typer.Option("--model", metavar="NAME", help="A generator to try, for --advise; can be repeated.")
]


def augment(
    source: TableArgument = None,
    model: GeneratorOption = None,
    rows: RowsOption = None,
    output: OutputOption = None,
    safe_csv: SafeCsvOption = False,
    where: WhereOption = [],  # noqa: B006
    given: GivenOption = None,
    constraint: ConstraintOption = [],  # noqa: B006
    advise: AdviseOption = False,
    label: RareLabelOption = None,
    tried: TriedOption = [],  # noqa: B006
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    images: ImagesOption = None,
    seed: SeedOption = 0,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw synthetic rows, or report whether they would help."""
    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet, images)
    if advise:
        drawing = (model, rows, output, given, *where, *constraint, safe_csv or None)
        if any(option is not None for option in drawing):
            raise UsageError("--advise draws no rows: it takes only SOURCE, --label, --images, --model and --seed")
        _advise(console, source, label, tuple(tried), seed, threads, workspace, reading)
        return
    if model is None or any(option is not None for option in (source, label, images, *tried)):
        raise UsageError(
            "expected `augment --with ID -n N` to draw rows, or `augment SOURCE --advise --label COL` for advice"
        )
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.repeating import former_run
    from anomalo.jobs.synthesis.augment import SampleRequest
    from anomalo.jobs.synthesis.augment import augment as run_augment

    with console.work("drawing rows", threads) as progress:
        context = JobContext.at(workspace, progress, reading=reading)
        target = named_output(output, safe_csv)
        request = SampleRequest(rows, pairs(where, "--where"), given, tuple(constraint), seed)
        asked: dict[str, Any] = {"safe_csv": safe_csv, "device": device}
        read, facts = [given] if given else [], asked | vars(request) | {"given": None}
        former = former_run(context, "augment", facts, read, models=[model], outputs=[target], force=force)
        if former is None:
            result = run_augment(context, model, request, output=target, **asked)
    if former is not None:
        show_repeated(console, former, given)
        return
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
    reading: ReadOptions,
) -> None:
    if source is None or label is None:
        raise UsageError(
            "--advise needs a table, or images, and its label: anomalo augment SOURCE --advise --label COL"
        )
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.synthesis.advise import advise as run_advise
    from anomalo.tabular.schema import SchemaOptions

    with console.work("comparing generators", threads) as progress:
        context = JobContext.at(workspace, progress, reading=reading)
        options = SchemaOptions(label=label)
        result = run_advise(context, source, options, generators=tried, seed=seed)
    console.result(result.run.to_json(), lambda: _show_advice(result))


def _show_advice(result: AdviseResult) -> None:
    facts = result.run.summary
    typer.echo(
        f"{count(facts['positives'], 'row')} of {facts['rows']:,} have {facts['label']} = {facts['positive']}. "
        "A classifier of this value, evaluated on held-out rows:"
    )
    columns = ("trained on", "average precision", "gain", "95 % interval", "folds", "seconds")
    table(columns, [_line(trial) for trial in facts["trials"]], right=columns[1:])
    if any(trial["hopeless"] for trial in facts["trials"]):
        typer.echo("fewer folds: stopped early, because the other folds could not have made the gain certain")
    typer.echo(f"\n{facts['recommendation']}")


def _line(trial: dict[str, Any]) -> tuple[str, ...]:
    if trial["failure"]:
        return (trial["method"], "failed", "", "", "", "")
    gain = (
        () if trial["method"] == "none" else (f"{trial['gain']:+.3f}", f"{trial['low']:+.3f} to {trial['high']:+.3f}")
    )
    return (
        NAMES.get(trial["method"], f"real + {trial['method']} rows"),
        "" if trial["hopeless"] else f"{trial['average_precision']:.3f}",
        *(gain or ("", "")),
        str(trial["parts"]),
        f"{trial['seconds']:.1f}",
    )


def _show(result: AugmentResult) -> None:
    facts = result.run.summary
    what, drawn = ("window", facts["windows"]) if "windows" in facts else ("row", result.rows)
    points = f" of {result.rows // drawn} points" if what == "window" else ""
    kind = "image" if result.of_images else what
    typer.echo(f"{count(drawn, f'synthetic {kind}')}{points} in {result.table}")
    _show_nearness(facts)
    if facts["redrawn"]:
        typer.echo(f"{count(facts['redrawn'], what)} drawn again to satisfy the constraints")
    typer.echo(f"run {result.run.id} in {result.run.path}")


def _show_nearness(facts: dict[str, Any]) -> None:
    """Print how near drawn images are to training images, if that is known."""
    if "distance" not in facts:
        return
    median, usual = (f"{facts['distance'][of]:.3f}" for of in ("median", "of_training_images"))
    typer.echo(f"median distance to the nearest training image {median}; of these to each other {usual}")
    if facts["copies"]:
        typer.echo(f"{count(facts['copies'], 'image')} may be a copy: see the column distance, and the contact sheet")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("augment")(augment)
