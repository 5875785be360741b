"""`anomalo schema`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    EncodingOption,
    HeaderOption,
    JsonOption,
    LogJsonOption,
    SheetOption,
    SourceArgument,
    WorkspaceOption,
    read_options,
)
from anomalo.cli.terminal.printing import shortened, table
from anomalo.tabular.quantities import count, percent

if TYPE_CHECKING:
    from anomalo.jobs.describing.schema import ColumnReport, SchemaReport


def schema(
    source: SourceArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the TOML to edit to this file, not to the screen."),
    ] = None,
    drop: DropOption = [],  # noqa: B006
    identifier: IdOption = None,
    label: LabelOption = None,
    kind: KindOption = [],  # noqa: B006
    missing: MissingOption = [],  # noqa: B006
    keep: KeepOption = [],  # noqa: B006
    inf: InfOption = "error",
    given: SchemaOption = None,
    time: TimeOption = None,
    entity: EntityOption = None,
    window: WindowOption = 0,
    causal: CausalOption = False,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show how columns are understood, and the rules between them."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.describing.schema import schema_of
    from anomalo.persistence.atomic import atomic_file, require_writable

    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet)
    options = schema_options(kind, drop, identifier, label, missing, keep, inf, given, (time, entity, window, causal))
    if output is not None:
        require_writable(output)
    with console.work("reading") as progress:
        report = schema_of(JobContext.at(workspace, progress, reading=reading), source, options)
    if output is not None:
        with atomic_file(output) as file:
            file.write_text(report.toml, encoding="utf-8")
    console.warn(report.warnings)
    console.result(report.to_json(), lambda: _show(report, output))


def _show(report: SchemaReport, output: Path | None) -> None:
    typer.echo(f"{report.source}: {count(report.rows, 'row')}, {count(len(report.columns), 'column')}\n")
    table(
        ("column", "kind", "missing", "distinct", "values", "why"),
        [
            (
                column.name,
                column.kind if column.role == "feature" else f"{column.kind}, {column.role}",
                percent(column.missing / report.rows) if column.missing else "",
                f"{column.distinct:,}",
                _values(column),
                column.why,
            )
            for column in report.columns
        ],
        right=("missing", "distinct"),
    )
    typer.echo("")
    for sentence in report.structure:
        typer.echo(f"table: {sentence}")
    _show_rules(report)
    if output is not None:
        typer.echo(f"to decide otherwise, edit {output} and give it as --schema {output}")
        return
    typer.echo("to decide otherwise, save this to a file, edit it and give it as --schema FILE:\n")
    typer.echo(report.toml.rstrip())


def _show_rules(report: SchemaReport) -> None:
    shown = [rule for rule in report.rules if len(rule.columns) > 1 or rule.exceptions]  # others the columns show
    if shown:
        typer.echo("")
        cells = [(rule.rule, f"{rule.support:,}", f"{rule.exceptions:,}") for rule in shown]
        table(("rule", "rows", "exceptions"), cells, right=("rows", "exceptions"))
        typer.echo("")


def _values(column: ColumnReport) -> str:
    tokens = [f"{text!r} missing in {number:,}" for text, number in column.tokens.items() if text]
    unreadable = [f"{column.unreadable:,} unreadable"] if column.unreadable else []
    return "; ".join([", ".join(map(shortened, column.examples)), *tokens, *unreadable])


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("schema")(schema)
