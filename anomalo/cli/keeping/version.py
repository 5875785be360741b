"""`anomalo threshold` and `anomalo retire`: what holds for one version of a saved model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.terminal.console import WORKSPACE, Console, DebugOption, JsonOption, LogJsonOption, WorkspaceOption
from anomalo.errors import UsageError

if TYPE_CHECKING:
    from anomalo.workspace.versions import SavedThreshold

ReferenceArgument = Annotated[
    str, typer.Argument(metavar="ID", help="A saved model: ID (its latest version), ID@VERSION or ID@TAG.")
]


def threshold(
    reference: ReferenceArgument,
    rule: Annotated[
        str | None,
        typer.Argument(metavar="[RULE]", help="Such as share=0.01 or budget=100; without it, what is saved is shown."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Save none: the usual one is used again.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Save the threshold that a version of a model is scored with."""
    from anomalo.jobs.keeping.thresholds import save_threshold
    from anomalo.workspace.workspace import Workspace

    console, store = Console(as_json, log_json), Workspace(workspace)
    if rule is not None and remove:
        raise UsageError("--remove takes the saved threshold away; give no RULE with it")
    if rule is None and not remove:
        record = store.model(reference)
        facts = {"reference": record.reference, "threshold": record.threshold or None}
        console.result(facts, lambda: typer.echo(f"{record.reference}: {record.threshold or 'no threshold is saved'}"))
        return
    saved = save_threshold(store, reference, rule)
    console.result(vars(saved), lambda: _show(saved))


def _show(saved: SavedThreshold) -> None:
    if saved.before == saved.after:
        typer.echo(f"{saved.after} is saved with {saved.reference} already")
        return
    if saved.after:
        typer.echo(f"{saved.reference} is scored with {saved.after} where no other threshold is given")
    else:
        typer.echo(f"no threshold is saved with {saved.reference} any more")
    typer.echo(f"to take it back: anomalo threshold {saved.reference} {saved.before or '--remove'}")


def retire(
    reference: ReferenceArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Take the retirement back.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Put a version of a saved model out of use, or back into it."""
    from anomalo.workspace.workspace import Workspace

    console, store = Console(as_json, log_json), Workspace(workspace)
    if "@" not in reference:
        raise UsageError(f"expected one version, such as {store.model(reference).reference}")
    record = store.model(reference)
    (store.versions.restore if undo else store.versions.retire)(record)
    after = store.model(record.reference)

    def show() -> None:
        if undo:
            typer.echo(f"{record.reference} is in use again")
        else:
            typer.echo(f"{record.reference} is retired: {record.name} means the latest version that is not")
            typer.echo(f"to take it back: anomalo retire {record.reference} --undo")

    console.result({"reference": record.reference, "retired": after.retired or None}, show)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("threshold")(threshold)
    app.command("retire")(retire)
