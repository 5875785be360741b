"""Which separator a text table has: the one with which the most of its first rows agree."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace

from anomalo.errors import SourceError
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.names import renamed, unique
from anomalo.tabular.text.header import names_or_data
from anomalo.tabular.text.layout import ROWS, Layout, layout_with
from anomalo.tabular.text.rows import SEPARATORS, SPACES, rows

_MOSTLY = 0.9


def find_layout(text: str, whole: bool, source: str, options: ReadOptions) -> Layout:
    """Return the layout of a table.

    Parameters
    ----------
    text : str
        The first lines, complete.
    whole : bool
        Whether these are all.
    source : str
        What messages call the file.
    options : ReadOptions
        The user's decisions.

    Raises
    ------
    SourceError
        There is no line.
    UsageError
        The line of the header is not among the first ones.
    """
    candidates = [layout_with(text, whole, separator, source, options) for separator in SEPARATORS]
    best = max((found for found in candidates if found), key=lambda found: found.agreement, default=None)
    if best is None or best.agreement[1] == 1:
        spaced = layout_with(text, whole, SPACES, source, options)
        if spaced and spaced.agreement[1] > 1 and _is_aligned(text, spaced):
            best = spaced
    best = best or _one_column(text, whole, source, options)
    if best is None:
        raise SourceError(f"{source} is empty; expected a header line and rows")
    names = unique(best.header)
    warnings = [*best.warnings, *renamed(source, names, best.header)]
    return replace(best, names=tuple(names), warnings=tuple(warnings))


def _one_column(text: str, whole: bool, source: str, options: ReadOptions) -> Layout | None:
    """Return the layout of a table of one column, with a separator that its cells do not contain, if there is one."""
    candidates = [layout_with(text, whole, separator, source, options, single=True) for separator in SEPARATORS]
    return max((found for found in candidates if found), key=lambda found: found.agreement, default=None)


def _is_aligned(text: str, layout: Layout) -> bool:
    """Whether spaces separate columns: nearly all rows have the same number of words, and some columns are numbers."""
    found = [row for row in itertools.islice(rows(io.StringIO(text, newline=""), SPACES), ROWS) if not row.blank]
    table = [row.cells for row in found if row.line >= layout.line]
    if layout.agreement[0] < _MOSTLY or len(table) < 3:
        return False
    runs = sum("  " in line.strip() or "\t" in line for line in text.splitlines()[:ROWS]) > len(table) / 2
    return runs or names_or_data(table[0], table[1:]) != "unknown"
