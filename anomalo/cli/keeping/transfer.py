"""`anomalo export` and `anomalo import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anomalo.cli.terminal.console import WORKSPACE, Console, DebugOption, JsonOption, LogJsonOption, WorkspaceOption
from anomalo.tabular.quantities import memory

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file with the model, such as fraud.zip.")]


def export(
    reference: Annotated[
        str, typer.Argument(metavar="ID", help="A saved model: ID (its latest version), ID@VERSION or ID@TAG.")
    ],
    file: FileArgument,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a saved model to one file, with checksums."""
    from anomalo.jobs.keeping.transfer import export_model
    from anomalo.workspace.workspace import Workspace

    console = Console(as_json, log_json)
    with console.work("exporting"):
        exported = export_model(Workspace(workspace), reference, file)
    facts = {"reference": exported.reference, "file": str(file), "bytes": exported.bytes, "sha256": exported.sha256}

    def show() -> None:
        typer.echo(f"{exported.reference} is in {file}, {memory(exported.bytes)}; sha256 {exported.sha256}")
        typer.echo(f"to take it in elsewhere: anomalo import {file}")

    console.result(facts, show)


def take_in(
    file: FileArgument,
    name: Annotated[str | None, typer.Option("--as", metavar="ID", help="Another name for the model.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Read a model from an exported file, as a new version."""
    from anomalo.jobs.keeping.transfer import import_model
    from anomalo.registry.registry import Registry
    from anomalo.workspace.workspace import Workspace

    console = Console(as_json, log_json)
    with console.work("importing"):
        record = import_model(Workspace(workspace), Registry.load(), file, name)
    origin = record.summary["lineage"]["imported"]

    said = f"saved {record.reference}, which is {origin['reference']} of {origin['created'][:10]}; in {record.path}"
    console.result(record.to_json(), lambda: typer.echo(said))


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("export")(export)
    app.command("import")(take_in)
