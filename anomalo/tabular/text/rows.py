"""The rows of a text table, one after the other, each with its line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SPACES = " "
"""The separator of a table whose columns stand apart by runs of spaces."""
SEPARATORS = ",;\t|^"
LONGEST = 1 << 25
"""Characters that one line or one cell may have."""


class Row(NamedTuple):
    """One row: its first line, from 1, its cells, whether it begins as a comment, and whether a quote may be open."""

    line: int
    cells: list[str]
    comment: bool
    unclosed: bool = False

    @property
    def blank(self) -> bool:
        """Whether the row is an empty line."""
        return len(self.cells) <= 1 and not any(cell.strip() for cell in self.cells)


def rows(lines: Iterable[str], separator: str) -> Iterator[Row]:
    """Split lines, each with its end, into rows; a quoted cell may have several lines."""
    pending: list[str] = []
    quotes = 0

    def noted() -> Iterator[str]:
        nonlocal quotes
        for line in lines:
            quotes += line.count('"')
            pending.append(line[:1])
            yield line.strip(" \r\n") + "\n" if separator == SPACES else line

    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))
    reader = csv.reader(noted(), delimiter=separator, skipinitialspace=separator == SPACES)
    first = 1
    for cells in reader:
        yield Row(first, cells, pending[0] == "#", len(pending) > 1 and quotes % 2 == 1)
        first, quotes = reader.line_num + 1, 0
        pending.clear()
