"""Why a cell is suspected, in one plain sentence that names the numbers behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.evidence.formats import affix, runs
from anomalo.cleaning.evidence.spelling import edit_distances
from anomalo.cleaning.features import ColumnEvidence
from anomalo.tabular.quantities import count, percent

Codes = NDArray[np.int64]

LONGEST = 60
"""Characters of a text that are quoted."""
COMPARED = 128
"""Characters of a text that are compared with those of a suggestion."""
ASKED = 6
"""So many of the columns that say most about a cell are searched for the one that says it most clearly."""
AGREEING = 0.5
"""A column is named if more than this share of the rows that share its value have the suggestion."""
COMMON = 0.5
"""A format that fewer cells have is not called the column's."""
DISAGREES = "does not agree with the other cells of its row"
USUAL = 0.05, 0.95
"""The quantiles of a column of numbers that are called usual."""


@dataclass(frozen=True)
class Reasons:
    """What can be said of the suspected cells of one column.

    Attributes
    ----------
    table : CodedTable
        The whole table.
    evidence : ColumnEvidence
        The column's.
    """

    table: CodedTable
    evidence: ColumnEvidence
    _found: dict[str, tuple[Codes, Codes]] = field(default_factory=dict, repr=False)

    def sentence(self, row: int, kind: str, suggestion: str | None) -> str:
        """Return why the cell of a row is suspected.

        Parameters
        ----------
        row : int
            Its position in the table.
        kind : str
            Of the error, as `kinds` finds it.
        suggestion : str or None
            What the cell should have been.
        """
        code = int(self._column.codes[row])
        first = {
            "typo": self._typo,
            "format": self._format,
            "unit": self._unit,
            "dependency": self._dependency,
            "outlier": self._outlier,
            "missing": self._missing,
            "rare": self._rare,
        }[kind](code, suggestion)
        others = self._others(row, suggestion, _quoted(suggestion or "") in first)
        return "; ".join(part for part in (first, others) if part) or DISAGREES

    @property
    def _column(self) -> CodedColumn:
        return self.evidence.column

    def _rows(self, text: str) -> int:
        return self._counts.get(text, 0)

    @cached_property
    def _counts(self) -> dict[str, int]:
        return dict(zip(self._column.values, self._column.counts.tolist(), strict=True))

    def _typo(self, code: int, suggestion: str | None) -> str:
        observed = self._column.values[code]
        if not suggestion:
            return f"{_quoted(observed)} is spelled unlike the other cells of the column"
        edits = int(edit_distances([observed[:COMPARED]], [suggestion[:COMPARED]])[0])
        known = self._rows(suggestion)
        return f"{count(edits, 'character')} from {_quoted(suggestion)}" + (
            f", which {count(known, 'row')} {_have(known)}" if known else ""
        )

    def _format(self, code: int, suggestion: str | None) -> str:
        example, share = self._usual_format
        if share < COMMON or runs(example) == runs(self._column.short[code]):
            return "written unlike the other cells of the column"
        return f"not written like {_quoted(example)}, as {percent(share)} of the column are"

    def _unit(self, code: int, suggestion: str | None) -> str:
        mark, usual = affix(self._column.short[code]).strip(), self._usual_affix
        written = f"has {_quoted(mark)}" if mark else "has no unit"
        return f"{written}, where the numbers of the column usually have {_quoted(usual) if usual else 'none'}"

    def _dependency(self, code: int, suggestion: str | None) -> str:
        return "" if suggestion else DISAGREES

    def _outlier(self, code: int, suggestion: str | None) -> str:
        number, column = float(self._column.numbers[code]), self._column
        if not column.numeric or np.isnan(number):
            return "far from the usual cells of the column"
        low, high = np.nanquantile(column.numbers[column.codes[: self.table.reference]], USUAL)
        if low <= number <= high:
            return "far from the number that the other cells of its row lead to expect"
        return f"{'below' if number < low else 'above'} the usual {low:,.6g} to {high:,.6g}"

    def _missing(self, code: int, suggestion: str | None) -> str:
        if not self._column.values[code]:
            empty = self._column.counts[self._column.empty].sum() / self._column.counts.sum()
            return f"empty, as {percent(float(empty))} of the column are"
        rows = int(self._column.counts[code])
        return f"{_quoted(self._column.values[code])} stands for a missing value in {count(rows, 'row')}"

    def _rare(self, code: int, suggestion: str | None) -> str:
        mine, every = int(self._column.counts[code]), int(self._column.counts.sum())
        return f"in {count(mine, 'row')} of {every:,} only" if mine else f"in none of {count(every, 'row')}"

    def _others(self, row: int, suggestion: str | None, named: bool) -> str:
        """Return which other column supports the suggestion, and in how many rows."""
        if not suggestion or suggestion not in self._codes:
            return ""
        found = [self._support(name, row, suggestion) for name, _ in self.evidence.votes.determinants[:ASKED]]
        _, having, rows, name = max(found, default=(0.0, 0, 0, ""))
        if having <= max(AGREEING * rows, 1):
            return ""
        column = self._columns[name]
        group = f"with {name} {_quoted(column.values[column.codes[row]])} have {'it' if named else _quoted(suggestion)}"
        return (
            f"all {rows:,} other rows {group}" if having == rows else f"{having:,} of the {rows:,} other rows {group}"
        )

    def _support(self, name: str, row: int, suggestion: str) -> tuple[float, int, int, str]:
        """Return how often the suggestion is there in the other rows with the same value of a column.

        As a smoothed share, the number of such rows, the number of those other rows, and the column's name.
        """
        column = self._columns[name]
        mine = int(column.codes[row])
        if not column.values[mine]:
            return 0.0, 0, 0, name
        itself = self.table.reference is None or row < self.table.reference
        rows = int(column.counts[mine]) - itself
        pairs, often = self._pairs(name)
        key = mine * len(self._column.values) + self._codes[suggestion]
        at = int(np.searchsorted(pairs, key))
        having = int(often[at]) if at < len(pairs) and pairs[at] == key else 0
        return (having + 1) / (rows + 2), having, rows, name

    def _pairs(self, name: str) -> tuple[Codes, Codes]:
        """Return the pairs of a value of another column and one of this, each as one number, and their rows."""
        if name not in self._found:
            keys = self._columns[name].codes * len(self._column.values) + self._column.codes
            self._found[name] = np.unique(keys[: self.table.reference], return_counts=True)
        return self._found[name]

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {text: code for code, text in enumerate(self._column.values)}

    @cached_property
    def _columns(self) -> dict[str, CodedColumn]:
        return {column.name: column for column in self.table.columns}

    @cached_property
    def _usual_format(self) -> tuple[str, float]:
        """The most frequent text in the column's most frequent format, and the share of cells in that format."""
        formats = self.evidence.formats
        there = {form: rows for form, rows in formats.items() if form}
        most = max(there, key=lambda form: (there[form], form), default="")
        like = [code for code, text in enumerate(self._column.short) if runs(text) == most]
        example = max(like, key=lambda code: (self._column.counts[code], -code))
        return self._column.short[example], formats[most] / max(sum(there.values()), 1)

    @cached_property
    def _usual_affix(self) -> str:
        found: Counter[str] = Counter()
        for text, number, rows in zip(self._column.short, self._column.numbers, self._column.counts, strict=True):
            if not np.isnan(number):
                found[affix(text).strip()] += int(rows)
        return max(found, key=lambda mark: (found[mark], mark), default="")


def sentences(
    table: CodedTable, evidence: ColumnEvidence, rows: Codes, kinds: Sequence[str], suggestions: Sequence[str | None]
) -> list[str]:
    """Return why each of a column's cells in some rows [m] is suspected; see `Reasons.sentence`."""
    reasons = Reasons(table, evidence)
    return [reasons.sentence(*one) for one in zip(rows.tolist(), kinds, suggestions, strict=True)]


def _have(rows: int) -> str:
    return "has" if rows == 1 else "have"


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line if len(line) <= LONGEST else line[: LONGEST - 1] + '…'}'"
