"""`anomalo tag`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.terminal.console import WORKSPACE, Console, DebugOption, JsonOption, LogJsonOption, WorkspaceOption
from anomalo.cli.terminal.printing import minute, table
from anomalo.errors import UsageError

if TYPE_CHECKING:
    from anomalo.workspace.workspace import TagMove


def tag(
    reference: Annotated[
        str, typer.Argument(metavar="ID", help="A saved model: ID (its latest version), ID@VERSION or ID@TAG.")
    ],
    name: Annotated[str | None, typer.Argument(metavar="[TAG]", help="The tag, such as champion.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag from this version.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Show who moved which tag, and when.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Give a version of a saved model a tag, such as champion."""
    from anomalo.workspace.workspace import Workspace

    console, store = Console(as_json, log_json), Workspace(workspace)
    if history:
        if name is not None or remove:
            raise UsageError("--history shows the moves of all tags of a model; give no tag, and no --remove")
        model = store.model(reference).name
        moves = store.tag_moves(model)
        console.result({"name": model, "moves": [vars(move) for move in moves]}, lambda: show_history(model, moves))
        return
    if name is None:
        raise UsageError(f"expected a tag, such as `anomalo tag {reference} champion`, or --history")
    moved = store.move_tag(reference, name, remove=remove)
    console.result(vars(moved), lambda: _show(moved))


def _show(move: TagMove) -> None:
    before, after = f"{move.name}@{move.before}", f"{move.name}@{move.after}"
    if move.before == move.after:
        typer.echo(f"{after} is {move.tag} already")
    elif move.after is None:
        typer.echo(f"{before} is no longer {move.tag}; to give the tag back: anomalo tag {before} {move.tag}")
    elif move.before is None:
        typer.echo(f"{after} is {move.tag}; no version was before")
    else:
        typer.echo(f"{after} is {move.tag}; before it was {before}")
        typer.echo(f"to roll back: anomalo tag {before} {move.tag}")


def show_history(model: str, moves: list[TagMove]) -> None:
    """Print the moves of a model's tags, the latest first."""
    if not moves:
        typer.echo(f"no tag of {model} was ever moved")
        return
    table(
        ("when", "tag", "from", "to", "who"),
        [
            (
                minute(move.created),
                move.tag,
                _version(model, move.before),
                _version(model, move.after),
                move.who,
            )
            for move in reversed(moves)
        ],
    )


def _version(model: str, number: int | None) -> str:
    return "" if number is None else f"{model}@{number}"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("tag")(tag)
