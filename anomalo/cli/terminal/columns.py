"""The options of verbs that understand a table: which columns there are, and what they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.errors import UsageError

if TYPE_CHECKING:
    from anomalo.tabular.schema import SchemaOptions

DropOption = Annotated[list[str], typer.Option("--drop", metavar="COL", help="A column to leave out; can be repeated.")]
IdOption = Annotated[
    str | None, typer.Option("--id", metavar="COL", help="The column that names the rows; it is not learned.")
]
LabelOption = Annotated[
    str | None, typer.Option("--label", metavar="COL", help="A column to hide from the model, for evaluation.")
]
KindOption = Annotated[
    list[str],
    typer.Option(
        "--kind",
        metavar="COL=KIND",
        help="The kind of a column: number, integer, boolean, category, datetime, identifier or text; can be repeated.",
    ),
]
MissingOption = Annotated[
    list[str],
    typer.Option(
        "--missing",
        metavar="[COL=]VALUE",
        help="A value that stands for a missing cell, in all columns or in one; can be repeated.",
    ),
]
KeepOption = Annotated[
    list[str],
    typer.Option(
        "--keep",
        metavar="[COL=]VALUE",
        help="A value that usually stands for a missing cell, such as NA, and does not here; can be repeated.",
    ),
]
InfOption = Annotated[
    str, typer.Option("--inf", metavar="error|missing", help="Refuse infinite numbers, or treat them as missing.")
]
SchemaOption = Annotated[
    Path | None, typer.Option("--schema", metavar="FILE", help="A TOML file with the kinds and roles of columns.")
]
TimeOption = Annotated[
    str | None,
    typer.Option("--time", metavar="COL", help="The rows are points of a series, whose times this column has."),
]
EntityOption = Annotated[
    str | None,
    typer.Option("--entity", metavar="COL", help="The column that names the series, if there are several."),
]
WindowOption = Annotated[
    int,
    typer.Option(
        "--window",
        metavar="N",
        min=0,
        help="Points of a series that a model sees at a time; 0: as the series suggest.",
    ),
]
CausalOption = Annotated[
    bool,
    typer.Option("--causal", help="Score each point of a series by those before it alone, as --follow does."),
]


def pairs(items: list[str], option: str, last: bool = False) -> dict[str, str]:
    """Split `NAME=VALUE` items at the first equals sign, or at the last.

    Raises
    ------
    UsageError
        An item has no equals sign.
    """
    found = {}
    for item in items:
        key, equals, value = item.rpartition("=") if last else item.partition("=")
        if not (key and equals):
            raise UsageError(f"{option} {item}: expected NAME=VALUE")
        found[key] = value
    return found


def schema_options(
    kinds: list[str],
    drop: list[str],
    identifier: str | None,
    label: str | None,
    missing: list[str],
    keep: list[str],
    inf: Any,
    schema: Path | None,
    series: tuple[str | None, str | None, int, bool] = (None, None, 0, False),
) -> SchemaOptions:
    """Return the schema options of a verb; they overrule those of the file `schema`.

    `series` are the values of --time, --entity, --window and --causal.

    Raises
    ------
    UsageError
        An option or the file has an unexpected value.
    SourceError
        The file cannot be read.
    """
    from anomalo.tabular.schema import SchemaOptions

    if inf not in ("error", "missing"):
        raise UsageError(f"--inf {inf}: expected error or missing")
    options = SchemaOptions(
        pairs(kinds, "--kind", last=True), tuple(drop), identifier, label, tuple(missing), inf, tuple(keep), *series
    )
    return options if schema is None else options.merged(SchemaOptions.from_toml(schema))
