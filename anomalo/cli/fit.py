"""`anomalo fit`."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.terminal.columns import (
    CausalOption,
    DropOption,
    EntityOption,
    IdOption,
    InfOption,
    KeepOption,
    KindOption,
    LabelOption,
    MissingOption,
    SchemaOption,
    TimeOption,
    WindowOption,
    pairs,
    schema_options,
)
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
    MasksOption,
    ResumeOption,
    SheetOption,
    SourceArgument,
    ThreadsOption,
    WorkspaceOption,
    read_options,
)
from anomalo.cli.terminal.repeated import ForceOption, show_repeated
from anomalo.cli.terminal.skill import show_errors, show_skill
from anomalo.errors import UsageError
from anomalo.tabular.quantities import count, parse_memory

if TYPE_CHECKING:
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.fitting.fit import FitResult
    from anomalo.pipeline.config import FitConfig
    from anomalo.tabular.schema import SchemaOptions
    from anomalo.workspace.records import ModelRecord

NameOption = Annotated[str, typer.Option("--as", metavar="ID", help="The name to save the model under.")]
ModelOption = Annotated[
    str, typer.Option("--model", metavar="NAME", help="The model to fit; `anomalo models` lists them.")
]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the model; can be repeated.")
]
AssumeOption = Annotated[
    str | None,
    typer.Option(
        "--assume",
        metavar="clean|contaminated|auto",
        help="Whether the training rows contain anomalies; short for --set assume=… (model auto).",
    ),
]
EffortOption = Annotated[
    str | None,
    typer.Option(
        "--effort",
        metavar="fast|default|thorough",
        help="How much work the fit may take; short for --set effort=… (model auto).",
    ),
]
GoalsOption = Annotated[
    list[str],
    typer.Option(
        "--for",
        metavar="VERB",
        help="Fit only for score, impute, embed or sample, where that is quicker; can be repeated.",
    ),
]
ConstraintOption = Annotated[
    list[str],
    typer.Option(
        "--constraint",
        metavar="TEXT",
        help="What synthetic rows must satisfy: '0 <= age <= 99', 'start < end' or, for fit only, 'fixed: city, "
        "country' (combinations seen in training); can be repeated.",
    ),
]
MaxMemoryOption = Annotated[
    str | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        help="The most memory, such as 2G: rows that do not fit lie on disk, or are learned from by a sample.",
    ),
]
CheckpointOption = Annotated[
    float,
    typer.Option(
        "--checkpoint-every",
        metavar="SECONDS",
        min=0,
        help="How often to save the state of the training; 0: every step.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The seed of all random numbers.")]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="ID", help="A saved model to start from; its columns, levels and scales stay."),
]
SupervisedOption = Annotated[bool, typer.Option("--supervised", help="Learn --label: the model is then a classifier.")]
LogCsvOption = Annotated[
    Path | None,
    typer.Option("--log-csv", metavar="DIR", help="Write the losses of every epoch to CSV files in this folder."),
]
TensorboardOption = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard", metavar="DIR", help="Write the losses of every epoch to this folder for TensorBoard."
    ),
]


def parameters(settings: list[str], assume: str | None = None, effort: str | None = None) -> dict[str, str]:
    """Return the model's parameters, as texts.

    Raises
    ------
    UsageError
        An item has no equals sign, or `assume` or `effort` is not one of its values.
    """
    if assume not in (None, "clean", "contaminated", "auto"):
        raise UsageError(f"--assume {assume}: expected clean, contaminated or auto")
    if effort not in (None, "fast", "default", "thorough"):
        raise UsageError(f"--effort {effort}: expected fast, default or thorough")
    asked = {"assume": assume, "effort": effort}
    return pairs(settings, "--set") | {name: value for name, value in asked.items() if value is not None}


def checked_goals(goals: list[str]) -> frozenset[str]:
    """Return the verbs to fit for.

    Raises
    ------
    UsageError
        One is not known.
    """
    from anomalo.pipeline.fitted import GOALS

    for goal in goals:
        if goal not in GOALS:
            raise UsageError(f"--for {goal}: expected {', '.join(GOALS)}")
    return frozenset(goals)


def fit(
    source: SourceArgument,
    name: NameOption,
    model: ModelOption = "auto",
    settings: SetOption = [],  # noqa: B006
    assume: AssumeOption = None,
    effort: EffortOption = None,
    goals: GoalsOption = [],  # noqa: B006
    drop: DropOption = [],  # noqa: B006
    identifier: IdOption = None,
    label: LabelOption = None,
    kind: KindOption = [],  # noqa: B006
    missing: MissingOption = [],  # noqa: B006
    keep: KeepOption = [],  # noqa: B006
    inf: InfOption = "error",
    schema: SchemaOption = None,
    time: TimeOption = None,
    entity: EntityOption = None,
    window: WindowOption = 0,
    causal: CausalOption = False,
    constraint: ConstraintOption = [],  # noqa: B006
    seed: SeedOption = 0,
    max_memory: MaxMemoryOption = None,
    resume: ResumeOption = False,
    force: ForceOption = False,
    initial: FromOption = None,
    supervised: SupervisedOption = False,
    checkpoint_every: CheckpointOption = 10.0,
    log_csv: LogCsvOption = None,
    tensorboard: TensorboardOption = None,
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
    """Fit a model on a table and save it."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.fitting import fit as fitting
    from anomalo.pipeline.config import FitConfig

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet, images, masks)
    options = schema_options(kind, drop, identifier, label, missing, keep, inf, schema, (time, entity, window, causal))
    with console.work(f"fitting {model}", threads, resumable=True) as progress:
        context = JobContext.at(workspace, progress, reading=reading)
        how: dict[str, Any] = {"announce": console.plan, "every": checkpoint_every, "goals": checked_goals(goals)}
        how |= {"logs": _logs(log_csv, tensorboard), "constraints": tuple(constraint)}
        how |= {"settings": parameters(settings, assume, effort), "max_memory": amount_of_memory(max_memory)}
        config = FitConfig(*fitting.choice(context, model, initial, supervised), seed, device, **how)
        start: dict[str, Any] = {"initial": initial, "supervised": supervised}
        result = _fitted(context, source, name, config, options, start, resume, force)
    report(console, result, source)


def _fitted(
    context: JobContext,
    source: str,
    name: str,
    config: FitConfig,
    options: SchemaOptions,
    start: dict[str, Any],
    resume: bool,
    force: bool,
) -> FitResult | ModelRecord:
    """Return the model that the same job saved before, or fit it now."""
    from anomalo.jobs.fitting import fit as fitting
    from anomalo.jobs.repeating import former_model

    former = former_model(context, "fit", name, source, config, options, **start, force=force)
    return former or fitting.fit(context, source, name, config, options, **start, resume=resume)


def amount_of_memory(text: str | None) -> int | None:
    """Return the value of `--max-memory` in bytes.

    Raises
    ------
    UsageError
        It is no amount of memory.
    """
    try:
        return None if text is None else parse_memory(text)
    except ValueError as error:
        raise UsageError(f"--max-memory {error}") from None


def _logs(csv: Path | None, tensorboard: Path | None) -> dict[str, Path]:
    if tensorboard is not None and find_spec("tensorboard") is None:
        raise UsageError(
            "--tensorboard: TensorBoard is not installed; install the extra 'tensorboard', or use --log-csv"
        )
    asked = {"csv": csv, "tensorboard": tensorboard}
    return {kind: folder for kind, folder in asked.items() if folder is not None}


def report(console: Console, result: FitResult | ModelRecord, source: str) -> None:
    """Print the saved model, its expected errors and the warnings of its fit; or that it was fitted before."""
    from anomalo.workspace.records import ModelRecord

    if isinstance(result, ModelRecord):
        show_repeated(console, result, source)
        return
    console.warn(result.warnings)
    console.result(result.record.to_json() | {"warnings": list(result.warnings)}, lambda: _show(result))


def _show(result: FitResult) -> None:
    record, layout = result.record, result.fitted.encoder.layout
    kinds = Counter(column.kind for column in result.fitted.schema.features)
    columns = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    rows = f"{count(record.rows, 'row')}, {count(record.columns, 'column')} ({columns})"
    if layout.modality == "image":
        colours, height, width = layout.shape
        rows = f"{count(record.rows, 'image')} of {width} × {height} pixels, {'grey' if colours == 1 else 'in colour'}"
    typer.echo(f"saved {record.reference}: {record.model}, {rows}")
    if "initial" in record.summary:
        typer.echo(f"started from {record.summary['initial']['reference']}")
    if "classes" in record.summary:
        meaning = "; the score is the probability of the last one" if "proba" in record.summary["verbs"] else ""
        typer.echo(f"classes: {', '.join(record.summary['classes'])}{meaning}")
    show_skill(record)
    show_errors(record)
    typer.echo(f"{record.seconds:.1f} seconds; in {record.path}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("fit")(fit)
