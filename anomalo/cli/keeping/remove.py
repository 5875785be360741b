"""`anomalo rm`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.terminal.console import WORKSPACE, Console, DebugOption, JsonOption, LogJsonOption, WorkspaceOption
from anomalo.cli.terminal.printing import minute, table
from anomalo.errors import UsageError
from anomalo.tabular.quantities import count, memory, parse_age

if TYPE_CHECKING:
    from anomalo.jobs.keeping.remove import Removal
    from anomalo.workspace.workspace import Workspace

EXAMPLES = {"model": "fraud@3", "run": "0007-score", "job": "0003-fit"}
SHOWN = 20
"""The most items that are printed."""


def rm(
    kind: Annotated[str, typer.Argument(metavar="model|run|job|runs", help="What to remove.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="A model (ID: all versions, or ID@VERSION), a run or a job."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="With runs: those older than 12h, 30d or 8w.")
    ] = None,
    keep: Annotated[
        int, typer.Option("--keep", metavar="N", min=0, help="With runs: the newest N stay, of whatever age.")
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Remove models, runs or jobs that are not in use."""
    from anomalo.workspace.workspace import Workspace

    console = Console(as_json, log_json)
    removal = _prepared(Workspace(workspace), kind, names or [], older_than, keep)
    removed = _agreed(removal, yes, as_json)
    if removed:
        removal.remove()
    facts = [{"name": item.name, "bytes": item.bytes, "created": item.created} for item in removal.items]
    result = {"removed": facts if removed else [], "bytes": removal.bytes if removed else 0}
    console.result(result, lambda: _show(removal, removed))


def _prepared(store: Workspace, kind: str, names: list[str], older_than: str | None, keep: int) -> Removal:
    from anomalo.jobs.keeping.remove import KINDS, remove_jobs, remove_models, remove_old_runs, remove_runs

    if kind not in KINDS:
        raise UsageError(f"rm {kind}: expected model, run, job or runs, such as `anomalo rm model ID@3`")
    if kind == "runs":
        if names:
            raise UsageError(f"rm runs {names[0]}: expected --older-than or --keep; for one run, `anomalo rm run ID`")
        return _old_runs(older_than, keep, lambda age: remove_old_runs(store, age, keep))
    if older_than is not None or keep:
        raise UsageError(f"rm {kind}: --older-than and --keep are for `anomalo rm runs`")
    if not names:
        raise UsageError(f"rm {kind}: expected at least one ID, such as `anomalo rm {kind} {EXAMPLES[kind]}`")
    remove = {"model": remove_models, "run": remove_runs, "job": remove_jobs}[kind]
    return remove(store, names)


def _old_runs(older_than: str | None, keep: int, remove: Any) -> Removal:
    if older_than is None and not keep:
        raise UsageError("rm runs: expected --older-than AGE, such as 30d, or --keep N")
    try:
        age = None if older_than is None else parse_age(older_than)
    except ValueError as error:
        raise UsageError(f"--older-than {error}") from None
    found: Removal = remove(age)
    return found


def _agreed(removal: Removal, yes: bool, as_json: bool) -> bool:
    """Print what would be removed and ask, unless there is nothing to ask."""
    if yes or not removal.items:
        return True
    if as_json or not sys.stdin.isatty():
        raise UsageError(f"nothing was removed: {_total(removal)} would be; there is no terminal to ask, add --yes")
    table(
        ("remove", "size", "created", ""),
        [(item.name, memory(item.bytes), minute(item.created), item.note) for item in removal.items[:SHOWN]],
        right=("size",),
    )
    if len(removal.items) > SHOWN:
        typer.echo(f"and {len(removal.items) - SHOWN} more")
    return typer.confirm(f"\nRemove {_total(removal)}?")


def _show(removal: Removal, removed: bool) -> None:
    if not removal.items:
        typer.echo("nothing to remove")
    elif not removed:
        typer.echo("nothing was removed")
    else:
        for item in removal.items[:SHOWN]:
            typer.echo(f"removed {item.name}" + (f"; {item.note}" if item.note.endswith("readable") else ""))
        if len(removal.items) > SHOWN:
            typer.echo(f"and {len(removal.items) - SHOWN} more")
        typer.echo(f"{_total(removal)} removed")


def _total(removal: Removal) -> str:
    return f"{count(len(removal.items), 'item')}, {memory(removal.bytes)}"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("rm")(rm)
