"""`anomalo fit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.console import (
    WORKSPACE,
    Console,
    DebugOption,
    DeviceOption,
    JsonOption,
    LogJsonOption,
    SourceArgument,
    ThreadsOption,
    WorkspaceOption,
)
from anomalo.errors import UsageError

if TYPE_CHECKING:
    from anomalo.jobs.fit import FitResult

ModelOption = Annotated[str, typer.Option("--model", metavar="NAME", help="Which model; see `anomalo models`.")]
SetOption = Annotated[list[str], typer.Option("--set", metavar="K=V", help="A hyperparameter; can be repeated.")]
DropOption = Annotated[list[str], typer.Option("--drop", metavar="COL", help="A column to leave out.")]
IdOption = Annotated[str | None, typer.Option("--id", metavar="COL", help="The column that names the rows.")]
LabelOption = Annotated[
    str | None, typer.Option("--label", metavar="COL", help="A column to keep from the model, for evaluation.")
]
KindOption = Annotated[
    list[str],
    typer.Option("--kind", metavar="COL=KIND", help="number, integer, boolean, category, datetime, identifier, text."),
]
MissingOption = Annotated[
    list[str], typer.Option("--missing", metavar="[COL=]VALUE", help="A value that stands for a missing cell.")
]
InfOption = Annotated[str, typer.Option("--inf", metavar="error|missing", help="What to do with infinite numbers.")]
SchemaOption = Annotated[Path | None, typer.Option("--schema", help="A TOML file with kinds and roles of columns.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Everything random follows from it.", min=0)]


def pairs(items: list[str], option: str) -> dict[str, str]:
    """Split `K=V` items.

    Raises
    ------
    UsageError
        An item has no equals sign.
    """
    found = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not (key and equals):
            raise UsageError(f"{option} {item}: expected NAME=VALUE")
        found[key] = value
    return found


def fit(
    source: SourceArgument,
    name: Annotated[str, typer.Option("--as", metavar="ID", help="The name to save the model under.")],
    model: ModelOption = "undercomplete",
    settings: SetOption = [],  # noqa: B006
    drop: DropOption = [],  # noqa: B006
    identifier: IdOption = None,
    label: LabelOption = None,
    kind: KindOption = [],  # noqa: B006
    missing: MissingOption = [],  # noqa: B006
    inf: InfOption = "error",
    schema: SchemaOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Fit a model on a table and save it."""
    from anomalo.fitted import Plan
    from anomalo.jobs import place
    from anomalo.jobs.fit import fit as run_fit
    from anomalo.schema import SchemaOptions

    console = Console(as_json, log_json)
    with console.progress(f"fitting {model}") as progress, place.threads(threads):
        at = place.Place.at(workspace, progress)
        params = at.registry.get(model).parse(pairs(settings, "--set"))
        options = SchemaOptions(
            kinds=pairs(kind, "--kind"),
            drop=tuple(drop),
            id=identifier,
            label=label,
            missing=tuple(missing),
            infinite=inf,
        )
        if schema is not None:
            options = options.merged(SchemaOptions.from_toml(schema))
        result = run_fit(at, source, name, Plan(model, params, seed=seed, device=device), options)
    console.warn(result.warnings)
    console.result(result.record.to_json() | {"warnings": list(result.warnings)}, lambda: _show(result))


def _show(result: FitResult) -> None:
    record = result.record
    kinds: dict[str, int] = {}
    for column in result.fitted.schema.features:
        kinds[column.kind] = kinds.get(column.kind, 0) + 1
    columns = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    typer.echo(f"saved {record.reference}: {record.model}, {record.rows} rows, {record.columns} columns ({columns})")
    skill = float("nan") if result.fitted.hidden is None else result.fitted.hidden.skill()
    if skill == skill:
        typer.echo(f"hidden cells: predicted with {100 * skill:.0f} % less error than each column's mean or mode")
    typer.echo(f"{record.seconds:.1f} seconds; in {record.path}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("fit")(fit)
