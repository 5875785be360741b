"""The layout of a text table with a given separator: its names, and the lines that are no rows of it."""

from __future__ import annotations

import io
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from anomalo.errors import UsageError
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.text.header import names_or_data
from anomalo.tabular.text.rows import SPACES, Row, rows

ROWS = 100
"""Rows from which the layout is found."""
_MOSTLY = 0.9


@dataclass(frozen=True)
class Layout:
    """How the rows of a text table are found.

    Attributes
    ----------
    separator : str
        Between cells.
    header : tuple of str
        The names as the file has them; of a table without, the names by position.
    names : tuple of str
        The columns' names: not empty, and all different.
    line : int
        The first line of the header, or of the rows if there is none; from 1.
    headless : bool
        Whether no line has the names.
    surplus : bool
        Whether every row ends with a separator, but the header does not.
    regular : bool
        Whether the first rows all have one cell for each column.
    agreement : (float, int)
        The share of rows that agree, and how many cells these have: the larger, the likelier the separator.
    warnings : tuple of str
        What the user should know.
    """

    separator: str
    header: tuple[str, ...]
    names: tuple[str, ...] = ()
    line: int = 1
    headless: bool = False
    surplus: bool = False
    regular: bool = True
    agreement: tuple[float, int] = (0.0, 1)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Table:
    """Rows from the header on, and the separator and what was left out to get at them."""

    separator: str
    rows: list[Row]
    skipped: list[Row] = field(default_factory=list)
    comments: bool = False


def layout_with(
    text: str, whole: bool, separator: str, source: str, options: ReadOptions, single: bool = False
) -> Layout | None:
    """Return the layout of a table with this separator; None if it leaves the header in one piece.

    The parameters are those of `find_layout`; with `single`, a header in one piece will do.
    """
    last = ROWS + (options.line or 0)
    found = list(itertools.islice(rows(io.StringIO(text, newline=""), separator), last + 1))
    if not whole and len(found) <= last and len(found) > 1:
        found.pop()  # a quoted cell of it may have been cut
    table = _table(found[:last], separator, options, source)
    if table is None:
        return None
    headless = options.headless or (not options.line and _is_headless(table))
    layout = _shaped(table, headless)
    width = len(layout.header)
    if width == 1 and not single:
        return None
    return replace(layout, warnings=tuple(_warnings(source, table, layout, said=options.headless)))


def _table(found: list[Row], separator: str, options: ReadOptions, source: str) -> _Table | None:
    if options.line:
        kept = [row for row in found if row.line >= options.line]
        if not kept or kept[0].line != options.line or kept[0].blank:
            raise UsageError(
                f"--header {options.line}: {source} has no such line among the first ones; expected its names"
            )
        return _without_comments(_Table(separator, kept), skip=1)
    filled = [row for row in found if not row.blank]
    if not filled:
        return None
    table = _without_comments(_Table(separator, filled))
    start = 0 if options.headless else _title_rows(table.rows)
    first = table.rows[start].line
    skipped = [row for row in filled if row.line < first]
    return replace(
        table,
        rows=table.rows[start:],
        skipped=skipped,
        comments=table.comments and any(r.comment for r in filled if r.line > first),
    )


def _without_comments(table: _Table, skip: int = 0) -> _Table:
    """Leave out rows that begin with # and do not have the table's width."""
    body = [row for row in table.rows if not row.comment] or table.rows
    width = _usual_width(body)
    kept = [row for at, row in enumerate(table.rows) if at < skip or not row.comment or len(row.cells) == width]
    if width == 1 or not kept:
        return table
    return replace(table, rows=kept, comments=len(kept) < len(table.rows))


def _usual_width(found: Sequence[Row]) -> int:
    return Counter(len(row.cells) for row in found if not row.blank).most_common(1)[0][0]


def _title_rows(found: list[Row]) -> int:
    """Return how many rows stand before a table: few cells, above names that all rows below agree with."""
    width = _usual_width(found)
    start = 0
    while start < len(found) and _is_title(found[start], width):
        start += 1
    below = found[start + 1 :]
    if start == 0 or len(below) < 2 or len(found[start].cells) != width or not all(found[start].cells):
        return 0
    agreeing = sum(len(row.cells) == width for row in below)
    said = names_or_data(found[start].cells, [row.cells for row in below])
    if agreeing < _MOSTLY * len(below) or said == "data" or (said == "unknown" and width < 3):
        return 0
    return start


def _is_title(row: Row, width: int) -> bool:
    filled = [cell for cell in row.cells if cell.strip()]
    if len(row.cells) < width:
        return len(row.cells) <= width / 2
    return len(filled) == 1 and width >= 3


def _is_headless(table: _Table) -> bool:
    first, *below = table.rows
    return names_or_data(first.cells, [row.cells for row in below if len(row.cells) >= len(first.cells)]) == "data"


def _shaped(table: _Table, headless: bool) -> Layout:
    """Return the layout of rows, of which the first one decides how many columns there are."""
    first, *below = table.rows
    header = [cell.strip() for cell in first.cells]
    widths = Counter(len(row.cells) for row in below if not row.blank)
    usual = widths.most_common(1)[0][0] if widths else len(header)
    wider = [row for row in below if len(row.cells) == len(header) + 1]
    surplus = len(header) > 1 and not headless and len(wider) == widths.total() > 0
    surplus = surplus and not any(row.cells[-1].strip() for row in wider)
    cut = usual == len(header) - 1 > 1 and not header[-1]
    cut = cut and not any(row.cells[usual:] and row.cells[usual].strip() for row in below)
    if cut:
        header.pop()
    width = len(header)
    if headless:
        header = [f"column_{position}" for position in range(1, width + 1)]
    ends = width + 1 if surplus else width
    agreeing = sum(len(row.cells) == ends for row in below) + 1
    total = len(table.rows) + len(table.skipped) - sum(row.blank for row in below)
    regular = not (surplus or cut or table.comments or table.separator == SPACES) and agreeing == total - len(
        table.skipped
    )
    return Layout(
        table.separator,
        tuple(header),
        line=first.line,
        headless=headless,
        surplus=surplus,
        regular=regular,
        agreement=(agreeing / total, width),
    )


def _warnings(source: str, table: _Table, layout: Layout, said: bool) -> list[str]:
    found = []
    if table.skipped:
        count, first = len(table.skipped), " ".join(table.skipped[0].cells).strip()
        lines = "1 line before the table is" if count == 1 else f"{count} lines before the table are"
        found.append(f"{source}: {lines} skipped, such as {first[:60]!r}; --header {layout.line} or none overrules")
    if layout.headless and not said:
        found.append(
            f"{source}: line {layout.line} is taken for a row, so the columns are named column_1, column_2 and so on; "
            f"--header {layout.line} makes it the names"
        )
    if layout.surplus:
        found.append(f"{source}: every row ends with a separator more than the header; it is dropped")
    return found
