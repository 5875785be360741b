"""`anomalo embed`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.terminal.console import (
    WORKSPACE,
    Console,
    DebugOption,
    DeviceOption,
    EncodingOption,
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
    WorkspaceOption,
    read_options,
)
from anomalo.tabular.quantities import count

if TYPE_CHECKING:
    from anomalo.jobs.describing.embed import EmbedResult


def embed(
    source: SourceArgument,
    model: WithOption,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Also write the codes to this file: .csv or .parquet."),
    ] = None,
    safe_csv: SafeCsvOption = False,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    strict: StrictOption = False,
    resume: ResumeOption = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Compute the latent codes of a table's rows with a saved model."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.describing.embed import embed as run_embed

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet)
    with console.work("embedding", threads, resumable=True) as progress:
        context = JobContext.at(workspace, progress, reading=reading, strict=strict)
        result = run_embed(context, source, model, output=output, safe_csv=safe_csv, device=device, resume=resume)
    console.warn(result.warnings)
    facts = result.run.to_json() | {"warnings": list(result.warnings)}
    console.result(facts, lambda: _show(result, output))


def _show(result: EmbedResult, output: Path | None) -> None:
    typer.echo(f"{count(result.rows, 'row')}, each with a latent code of {count(result.latent, 'number')}")
    typer.echo(f"run {result.run.id} in {result.run.path}" + (f"; codes in {output}" if output else ""))


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("embed")(embed)
