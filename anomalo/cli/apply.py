"""`anomalo apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.terminal.console import (
    WORKSPACE,
    Console,
    DebugOption,
    JsonOption,
    LogJsonOption,
    SafeCsvOption,
    WorkspaceOption,
    named_output,
)
from anomalo.cli.terminal.printing import table
from anomalo.tabular.quantities import count

if TYPE_CHECKING:
    from anomalo.jobs.deciding.apply import Applied


def apply(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run of impute, repair or clean, such as 0007-repair.")],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="OUT", help="Write the table here, not in the new run's folder."),
    ] = None,
    audit: Annotated[
        str | None,
        typer.Option(
            "--audit", metavar="COL", help="Add a column that says for each changed row what was changed, and by whom."
        ),
    ] = None,
    safe_csv: SafeCsvOption = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a table with the cells that analysts accepted or edited."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.deciding.apply import apply as run_apply

    console = Console(as_json, log_json)
    with console.work("writing") as progress:
        context = JobContext.at(workspace, progress)
        result = run_apply(context, run, output=named_output(output, safe_csv), audit=audit, safe_csv=safe_csv)
    console.result(result.run.to_json(), lambda: _show(result))


def _show(result: Applied) -> None:
    facts = result.run.summary
    changed = f"{facts['accepted']:,} accepted, {facts['edited']:,} edited"
    typer.echo(f"{count(facts['cells'], 'cell')} changed ({changed}); table in {result.table}")
    table(("column", "cells"), [(name, f"{cells:,}") for name, cells in facts["replaced"].items()], right=("cells",))
    typer.echo(f"run {result.run.id} in {result.run.path}; what was changed, and by whom, in {result.audit}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("apply")(apply)
