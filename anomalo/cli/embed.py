"""`anomalo embed`."""

from __future__ import annotations

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
from anomalo.cli.terminal.repeated import ForceOption, show_repeated
from anomalo.tabular.quantities import count

if TYPE_CHECKING:
    from anomalo.jobs.describing.embed import EmbedResult
    from anomalo.tabular.writing.destination import Output


def embed(
    source: SourceArgument,
    model: WithOption,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="OUT", help="Also write the codes to this file: .csv or .parquet."),
    ] = None,
    safe_csv: SafeCsvOption = False,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    images: ImagesOption = None,
    masks: MasksOption = None,
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
    """Compute the latent codes of a table's rows with a saved model."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.describing.embed import embed as run_embed
    from anomalo.jobs.repeating import former_run

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet, images, masks)
    chosen = engine_choice(engine, workers, address, threads or ONE_THREAD)
    target = named_output(output, safe_csv)
    with console.work("embedding", threads or ONE_THREAD, resumable=True) as progress:
        context = JobContext.at(workspace, progress, reading=reading, strict=strict, engine=chosen)
        asked: dict[str, Any] = {"safe_csv": safe_csv, "device": device}
        former = former_run(context, "embed", asked, [source], models=[model], outputs=[target], force=force)
        if former is None:
            result = run_embed(context, source, model, output=target, resume=resume, **asked)
    if former is not None:
        show_repeated(console, former, source)
        return
    console.warn(result.warnings)
    facts = result.run.to_json() | {"warnings": list(result.warnings)}
    console.result(facts, lambda: _show(result, target))


def _show(result: EmbedResult, output: Output | None) -> None:
    typer.echo(f"{count(result.rows, 'row')}, each with a latent code of {count(result.latent, 'number')}")
    typer.echo(f"run {result.run.id} in {result.run.path}" + (f"; codes in {output}" if output else ""))


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("embed")(embed)
