"""`anomalo pretrain`."""

from __future__ import annotations

from typing import Annotated

import typer

from anomalo.cli.fit import (
    CheckpointOption,
    MaxMemoryOption,
    NameOption,
    SeedOption,
    SetOption,
    amount_of_memory,
    parameters,
    report,
)
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
from anomalo.cli.terminal.repeated import ForceOption


def pretrain(
    source: SourceArgument,
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="An autoencoder or a Boltzmann machine.")],
    name: NameOption,
    settings: SetOption = [],  # noqa: B006
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
    seed: SeedOption = 0,
    max_memory: MaxMemoryOption = None,
    resume: ResumeOption = False,
    force: ForceOption = False,
    checkpoint_every: CheckpointOption = 10.0,
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
    """Fit a model that others can start from, and save it."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.fitting.pretrain import pretrain as run_pretrain
    from anomalo.jobs.repeating import former_model
    from anomalo.pipeline.config import FitConfig

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet, images, masks)
    options = schema_options(kind, drop, identifier, label, missing, keep, inf, schema, (time, entity, window, causal))
    with console.work(f"pretraining {model}", threads, resumable=True) as progress:
        context = JobContext.at(workspace, progress, reading=reading)
        asked, memory = parameters(settings), amount_of_memory(max_memory)
        config = FitConfig(model, seed=seed, device=device, every=checkpoint_every, settings=asked, max_memory=memory)
        former = former_model(context, "pretrain", name, source, config, options, force=force)
        result = former or run_pretrain(context, source, name, config, options, resume=resume)
    report(console, result, source)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("pretrain")(pretrain)
