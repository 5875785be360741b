"""What is printed of how well a fitted model predicts what is hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from anomalo.cli.terminal.printing import table
from anomalo.tabular.quantities import expected_error, percent, unit_of

if TYPE_CHECKING:
    from anomalo.workspace.records import ModelRecord

SHOWN = 12
"""The most columns whose expected errors are printed."""


def show_skill(record: ModelRecord) -> None:
    """Print how well the model predicts hidden cells or pixels, if it does."""
    skill = record.summary["skill"]
    what, means = ("pixels", "the mean") if of_images(record) else ("cells", "the columns' means or modes")
    if skill is not None and skill > 0:
        typer.echo(f"hidden {what}: predicted with {100 * skill:.0f} % less error than by {means}")


def of_images(record: ModelRecord) -> bool:
    """Whether a model learned from images."""
    return "image" in record.summary["kinds"].values()


def show_errors(record: ModelRecord) -> None:
    """Print the expected errors of imputed values, column by column, most missing values first."""
    if of_images(record):  # the errors are those of its channels, which are no columns
        return
    with_missing = [(name, entry) for name, entry in record.summary["errors"].items() if entry["missing"] > 0]
    kinds, units = record.summary["kinds"], record.summary.get("units", {})
    most_first = sorted(with_missing, key=lambda item: -item[1]["missing"])
    if most_first:
        columns = ("column", "missing", "expected error", "error of mean or mode")
        rows = [
            (
                name,
                percent(entry["missing"]),
                *(
                    expected_error(entry[which], kinds[name], unit_of(units.get(name)))
                    for which in ("error", "baseline")
                ),
            )
            for name, entry in most_first[:SHOWN]
        ]
        table(columns, rows, right=columns[1:])
    if len(most_first) > SHOWN:
        typer.echo(f"and {len(most_first) - SHOWN} more columns with missing values; --json lists all")
