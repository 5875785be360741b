"""Format tables and numbers for people, in a terminal of any width or through a pipe."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import typer

GAP = "  "
NARROWEST = 24
"""The least width to which the last column is wrapped."""
LONGEST = 60
"""Characters of a cell that are shown."""


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()) -> None:
    """Print a plain table.

    Parameters
    ----------
    columns : sequence of str
        The header.
    rows : iterable
        One item for each column; a list is printed one item a line. Only the last column is wrapped, and
        only in a terminal.
    right : sequence of str
        The columns to align to the right.
    """
    cells = [[_lines(cell) for cell in row] for row in rows]
    widths = [max(_width(line) for line in [name, *_column(cells, at)]) for at, name in enumerate(columns)]
    widths[-1] = min(widths[-1], _available(widths))
    lines = [_joined([[name] for name in columns], columns, widths, right), ["─" * (sum(widths) + _gaps(widths))]]
    for row in cells:
        wrapped = [wrap for line in row[-1] for wrap in _wrapped(line, widths[-1])]
        lines.append(_joined([*row[:-1], wrapped], columns, widths, right))
    for line in (line for block in lines for line in block):
        typer.echo(line)


def _lines(cell: Any) -> list[str]:
    return [str(item) for item in cell] if isinstance(cell, list) else [str(cell)]


def _column(cells: list[list[list[str]]], at: int) -> list[str]:
    return [line for row in cells for line in row[at]]


def _gaps(widths: list[int]) -> int:
    return len(GAP) * (len(widths) - 1)


def _available(widths: list[int]) -> int:
    """Return the width available to the last column: the rest of a terminal's, and any width in a pipe."""
    if not sys.stdout.isatty():
        return sys.maxsize
    left = shutil.get_terminal_size().columns - sum(widths[:-1]) - _gaps(widths)
    return max(left, NARROWEST)


def _wrapped(line: str, width: int) -> list[str]:
    return (
        [line] if _width(line) <= width else textwrap.wrap(line, width, subsequent_indent=GAP, break_on_hyphens=False)
    )


def _joined(row: Sequence[list[str]], columns: Sequence[str], widths: Sequence[int], right: Sequence[str]) -> list[str]:
    return [
        GAP.join(_padded(*cell) for cell in zip(line, widths, (c in right for c in columns), strict=True)).rstrip()
        for line in zip_longest(*row, fillvalue="")
    ]


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """Return the columns of a terminal that a text takes; Chinese characters take two."""
    from rich.cells import cell_len

    return cell_len(text)


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1.

    Examples
    --------
    >>> count(1, "row"), count(3163, "row")
    ('1 row', '3,163 rows')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def share(value: float) -> str:
    """Format a share as a percentage.

    Examples
    --------
    >>> share(0.0713), share(0.00042)
    ('7.1 %', '0.04 %')
    """
    percent = 100 * value
    return f"{percent:.1f} %" if percent >= 0.1 or percent == 0 else f"{percent:.1g} %"


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
