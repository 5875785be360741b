"""Format tables and numbers for people, in a terminal of any width or through a pipe."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from anomalo.errors import without_passwords

LONGEST = 60
"""Characters of a cell that are shown."""


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()) -> None:
    """Print a plain table: cells are wrapped to the width of a terminal; in a pipe, each item has one line.

    Parameters
    ----------
    columns : sequence of str
        The header.
    rows : iterable
        One item for each column; a list is printed one item a line.
    right : sequence of str
        The columns to align to the right.
    """
    from rich import box  # imported here, so that verbs without a table start faster
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in columns:
        shown.add_column(Text(name), justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text("\n".join(map(str, cell if isinstance(cell, list) else [cell]))) for cell in row))
    terminal = sys.stdout.isatty()
    printer = Console(
        width=None if terminal else sys.maxsize,
        force_terminal=terminal,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )
    with printer.capture() as captured:
        printer.print(shown)
    typer.echo("\n".join(line.rstrip() for line in captured.get().removesuffix("\n").split("\n")))


def numbers(values: Sequence[float], digits: int = 4) -> list[str]:
    """Format the numbers of a column with equal decimals, and `digits` significant digits in the largest.

    Examples
    --------
    >>> numbers([61.654, 106.512]), numbers([0.67812, 0.5])
    (['61.7', '106.5'], ['0.6781', '0.5000'])
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest >= 1e12 or 0 < largest < 1e-6:
        return [f"{value:.{digits - 1}e}" for value in values]
    decimals = digits - 1 if largest < 1 else max(digits - 1 - math.floor(math.log10(largest)), 0)
    return [f"{value:.{decimals + (largest < 1)}f}" for value in values]


def probabilities(values: Sequence[float]) -> list[str]:
    """Format p-values with equal decimals, at least four, and two significant digits in the smallest.

    Examples
    --------
    >>> probabilities([0.05]), probabilities([0.000030711, 0.01])
    (['0.0500'], ['0.000031', '0.010000'])
    """
    smallest = min((value for value in values if value > 0), default=1.0)
    decimals = max(4, 1 - math.floor(math.log10(smallest)))
    return [f"{value:.{decimals}f}" for value in values]


def minute(created: str) -> str:
    """Write a moment, ISO 8601, to the minute.

    Examples
    --------
    >>> minute("2026-11-30T09:13:05+00:00")
    '2026-11-30 09:13'
    """
    return created[:16].replace("T", " ")


def nearby(source: str) -> str:
    """Return a table's path as it is typed here: without the current folder, if the table is in it."""
    here = os.path.join(os.getcwd(), "")
    return without_passwords(source.removeprefix(here) or source)


def shortened(text: str | None) -> str:
    r"""Return a cell's text on one line of at most `LONGEST` characters; None is a missing cell.

    Examples
    --------
    >>> shortened(None), shortened("two\nlines")
    ('missing', 'two lines')
    """
    if text is None:
        return "missing"
    line = " ".join(text.split()) or repr(text)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
