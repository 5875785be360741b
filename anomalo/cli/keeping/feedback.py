"""`anomalo feedback`: what reviewed alerts teach a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.terminal.console import WORKSPACE, Console, DebugOption, JsonOption, LogJsonOption, WorkspaceOption
from anomalo.cli.terminal.printing import table
from anomalo.tabular.quantities import count

if TYPE_CHECKING:
    from anomalo.jobs.feedback.propose import Proposal
    from anomalo.workspace.workspace import ModelRecord


def feedback(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run of `score` whose alerts were reviewed.")],
    apply: Annotated[bool, typer.Option("--apply", help="Save the next version of the model.")] = False,
    reviews: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE", help="First take in reviews from a CSV file: row, state, comment."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write the run's reviews as CSV, and end.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what reviewed alerts teach a model, and save that."""
    from anomalo.jobs.feedback import propose as job
    from anomalo.jobs.feedback.review_files import export_reviews, import_reviews
    from anomalo.registry.registry import Registry
    from anomalo.workspace.authorship import who
    from anomalo.workspace.workspace import Workspace

    console, store = Console(as_json, log_json), Workspace(workspace)
    record = store.run(run)
    if export is not None:
        rows = export_reviews(store, record, export)
        console.result({"run": run, "rows": rows, "file": str(export)}, lambda: _exported(rows, export))
        return
    taken = None if reviews is None else import_reviews(store, record, reviews, who())
    with console.work("looking at the reviews"):
        found = job.propose(store, Registry.load(), run)
    console.warn(found.notes)
    made = job.apply(store, found) if apply else None
    facts: dict[str, Any] = found.to_json() | ({} if taken is None else {"imported": taken})
    facts["saved"] = None if made is None else made.reference
    console.result(facts, lambda: _show(found, taken, made))


def _exported(rows: int, file: Path) -> None:
    typer.echo(f"the reviews of {count(rows, 'row')} are in {file}")


def _show(found: Proposal, taken: int | None, made: ModelRecord | None) -> None:
    if taken is not None:
        typer.echo(f"{count(taken, 'row')} changed by the file")
    said = ", ".join(f"{rows:,} {state}" for state, rows in found.states.items()) or "none"
    typer.echo(f"reviewed rows of {count(len(found.runs), 'run')}: {said}")
    known = {id(each.pattern): each for each in found.removed}
    if found.feedback.patterns:
        table(
            ("learned from", "rows", "no alerts where", "alerts removed"),
            [
                (pattern.kind, pattern.rows, list(map(str, pattern.conditions)), alerts.alerts if alerts else 0)
                for pattern, alerts in ((one, known.get(id(one))) for one in found.feedback.patterns)
            ],
            right=("rows", "alerts removed"),
        )
    if made is not None:
        typer.echo(f"\nsaved as {made.reference}, which {found}".replace("would remove", "removes"))
        typer.echo(f"to undo it: score with {found.record.reference}, or anomalo rm model {made.reference}")
    elif found.applied is not None:
        typer.echo(f"\n{found.applied} knows this already")
    elif found.learned:
        typer.echo(f"\nthe next version of {found.record.name} {found}; to save it: add --apply")
    else:
        typer.echo("\nthere is nothing new to learn; mark alerts as false alarm or expected")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("feedback")(feedback)
