"""`anomalo compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.terminal.columns import (
    DropOption,
    IdOption,
    InfOption,
    KeepOption,
    KindOption,
    LabelOption,
    MissingOption,
    SchemaOption,
    schema_options,
)
from anomalo.cli.terminal.console import (
    ONE_THREAD,
    WORKSPACE,
    Console,
    DebugOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LogJsonOption,
    SheetOption,
    ThreadsOption,
    WorkspaceOption,
    read_options,
)
from anomalo.cli.terminal.printing import shortened, table
from anomalo.errors import GateError
from anomalo.tabular.quantities import percent

if TYPE_CHECKING:
    from anomalo.evaluation.comparison.result import ColumnChange
    from anomalo.jobs.comparing.compare import CompareResult

IN_BOTH = 0.45
"""A classifier that is worse than chance has learned the table of rows that are in the other one as well."""
LEAST = 0.0005
"""A smaller importance is not shown."""
COLUMNS = 10
"""Columns that are shown, at most."""


def compare(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE", help="The earlier table: a source, a run such as 0012-score, or a saved model."
        ),
    ],
    current: Annotated[
        str | None,
        typer.Argument(
            metavar="[CURRENT]",
            help="The later table, likewise; without it REFERENCE is a run, compared with its model's training table.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write the comparison as an HTML page.")
    ] = None,
    level: Annotated[
        float,
        typer.Option("--level", metavar="P", min=0.0, max=1.0, help="The largest p-value that is called a difference."),
    ] = 0.05,
    fail_on_drift: Annotated[bool, typer.Option("--fail-on-drift", help="Exit with 3 if the tables differ.")] = False,
    drop: DropOption = [],  # noqa: B006
    identifier: IdOption = None,
    label: LabelOption = None,
    kind: KindOption = [],  # noqa: B006
    missing: MissingOption = [],  # noqa: B006
    keep: KeepOption = [],  # noqa: B006
    inf: InfOption = "error",
    schema: SchemaOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    threads: ThreadsOption = ONE_THREAD,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say whether a table is unlike an earlier one, and where."""
    from anomalo.jobs.comparing.compare import compare_tables
    from anomalo.jobs.context import JobContext

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet)
    options = schema_options(kind, drop, identifier, label, missing, keep, inf, schema)
    with console.work("comparing", threads) as progress:
        context = JobContext.at(workspace, progress, reading=reading)
        result = compare_tables(context, reference, current, options=options, level=level, page_file=output)
    console.result(result.to_json(), lambda: _show(result, output))
    if fail_on_drift and result.comparison.differs:
        raise GateError(f"{result.comparison.summary}; the comparison is in {result.run.path}")


def _show(result: CompareResult, output: Path | None) -> None:
    from anomalo.evaluation.comparison.wording import lift_text, p_text

    found = result.comparison
    typer.echo(f"{result.current} compared with {result.reference}: {found.summary}\n")
    table(
        ("column", "kind", "what changed most", "missing", "p-value", "importance"),
        [
            (
                column.column,
                column.kind,
                _changed(column),
                " → ".join(map(percent, column.missing)) if any(column.missing) else "",
                p_text(column.p_value),
                f"{column.importance:.3f}" if column.importance >= LEAST else "",
            )
            for column in found.columns[:COLUMNS]
        ],
        right=("p-value", "importance"),
    )
    if len(found.columns) > COLUMNS:
        typer.echo(f"… and {len(found.columns) - COLUMNS:,} columns that differ less")
    if found.segments:
        typer.echo("")
        rows = [(one.segment, *map(percent, one.shares), lift_text(one), p_text(one.p_value)) for one in found.segments]
        table(("over-represented segment", "reference", "now", "lift", "p-value"), rows, right=("reference", "now"))
    typer.echo("")
    for sentence in found.schema:
        typer.echo(f"columns: {sentence}")
    for sentence in found.notes:
        typer.echo(f"table: {sentence}")
    if found.auroc is not None:
        both = "; less is of rows that are in both tables" if found.auroc < IN_BOTH else ""
        typer.echo(f"classifier: AUROC {found.auroc:.3f} on rows it has not seen; 0.5 is chance{both}")
    typer.echo(f"run {result.run.id} in {result.run.path}" + (f"; page in {output}" if output else ""))


def _changed(column: ColumnChange) -> list[str]:
    lines = [shortened(column.change) if column.differs else ""]
    for what, levels in (("new", column.new), ("vanished", column.vanished)):
        if levels:
            lines.append(shortened(f"{what}: {', '.join(levels)}"))
    return [line for line in lines if line] or [""]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("compare")(compare)
