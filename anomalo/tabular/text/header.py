"""Whether the first row of a table has the names of its columns, or is a row like those below it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Literal

Verdict = Literal["names", "data", "unknown"]

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?%?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?")
_MISSING = frozenset({"", "?", "-", ".", "na", "n/a", "nan", "null", "none"})
_MOSTLY = 0.9
_YEARS = range(1800, 2200)


def kind_of(cell: str) -> str:
    """Return what a cell is: "number", "date", "text" or "" for a missing one.

    Examples
    --------
    >>> [kind_of(cell) for cell in ("1,5", "2024-01-31", "Bonn", "NA")]
    ['number', 'date', 'text', '']
    """
    text = cell.strip()
    if text.lower() in _MISSING:
        return ""
    return "date" if _DATE.fullmatch(text) else "number" if _NUMBER.fullmatch(text) else "text"


def names_or_data(first: Sequence[str], below: Sequence[Sequence[str]]) -> Verdict:
    """Return what the first row of a table is, by the rows below it.

    It has the names if it has a text where the cells below are numbers or dates. It is data if it has none such, but a
    number or date where they are: then it is one of them. Numbers in even steps, and years, may be names.

    Examples
    --------
    >>> [names_or_data(first, [["x", "1"]]) for first in (["a", "b"], ["y", "2.5"], ["city", "2020"])]
    ['names', 'data', 'unknown']
    """
    alike = []
    for at, cell in enumerate(first):
        found = [kind for kind in (kind_of(row[at]) for row in below if at < len(row)) if kind]
        measured = next(
            (kind for kind in ("number", "date") if found.count(kind) >= max(1, _MOSTLY * len(found))), None
        )
        if measured and kind_of(cell) == "text":
            return "names"
        if measured and kind_of(cell) == measured:
            alike.append((cell.strip(), [row[at].strip() for row in below if at < len(row)]))
    return "data" if alike and not _may_name([cell for cell, _ in alike], [cells for _, cells in alike]) else "unknown"


def _may_name(cells: list[str], below: list[list[str]]) -> bool:
    """Whether numbers may be names of columns: in even steps, or years above numbers that are none."""
    if not all(cell.isascii() and cell.isdecimal() for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    if steps == {1} or (len(steps) == 1 and len(numbers) > 2 and min(steps) > 0):
        return True
    years = all(number in _YEARS for number in numbers) and all(step > 0 for step in steps)
    return years and not all(cell.isdecimal() and int(cell) in _YEARS for column in below for cell in column)
