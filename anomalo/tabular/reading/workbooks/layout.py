"""Where the table in a sheet begins, and what its columns are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anomalo.errors import SourceError, UsageError
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.values import as_text
from anomalo.tabular.text.header import names_or_data

Cells = Sequence[Any]


@dataclass(frozen=True)
class SheetLayout:
    """The names of a sheet's columns, the position of its first row, from 0, and what the user should know."""

    header: list[str]
    first: int
    warnings: tuple[str, ...] = ()


def find_sheet_layout(rows: list[list[Any]], source: str, options: ReadOptions) -> SheetLayout:
    """Return where the table begins in the first rows of a sheet, None where a cell is empty.

    The header is the first row with as many cells as the table has; rows above it are a title.

    Raises
    ------
    UsageError
        The row that was asked for as the header has no cells.
    SourceError
        No row has cells.
    """
    filled = [at for at, row in enumerate(rows) if _count(row)]
    if not filled:
        raise SourceError(f"{source}: the first rows of the sheet are empty; expected a header row and rows")
    if options.line:
        at = options.line - 1
        if at not in filled:
            raise UsageError(f"--header {options.line}: {source} has no cells in this row; expected its names")
        return SheetLayout(_names(rows[at], _width(rows[at:])), at + 1)
    at = filled[0] if options.headless else _header(rows, filled)
    width = _width(rows[at:])
    skipped = [row for row in rows[:at] if _count(row)]
    warnings = []
    if skipped:
        title = next(str(as_text(cell)) for cell in skipped[0] if cell is not None)
        warnings.append(f"{source}: rows above row {at + 1} are skipped, such as {title[:60]!r}; --header overrules")
    if options.headless or _is_data(rows, at, width):
        if not options.headless:
            warnings.append(
                f"{source}: row {at + 1} is taken for a row of the table, so the columns are named column_1, column_2 "
                f"and so on; --header {at + 1} makes it the names"
            )
        return SheetLayout([f"column_{position}" for position in range(1, width + 1)], at, tuple(warnings))
    return SheetLayout(_names(rows[at], width), at + 1, tuple(warnings))


def _header(rows: list[list[Any]], filled: list[int]) -> int:
    """Return the first row that is as wide as the table, which may have some empty cells."""
    width = Counter(_extent(rows[at]) for at in filled).most_common(1)[0][0]
    full = [at for at in filled if _extent(rows[at]) >= width and (width == 1 or 2 * _count(rows[at]) > width)]
    return full[0] if full else filled[0]


def _is_data(rows: list[list[Any]], at: int, width: int) -> bool:
    first, *below = ([as_text(cell) or "" for cell in row[:width]] for row in rows[at:])
    return names_or_data(first, below) == "data"


def _names(row: Cells, width: int) -> list[str]:
    return [(as_text(cell) or "").strip() for cell in row[:width]]


def _count(row: Cells) -> int:
    return sum(cell is not None for cell in row)


def _extent(row: Cells) -> int:
    """Return up to which column a row has cells."""
    return max((at + 1 for at, cell in enumerate(row) if cell is not None), default=0)


def _width(rows: list[list[Any]]) -> int:
    return max(len(row) for row in rows)
