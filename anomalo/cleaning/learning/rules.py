"""A rule that rewrites the cells of a column: a way with its arguments, and the cells that it holds for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.evidence.formats import runs
from anomalo.cleaning.learning.ways.known import EVERY, FROM_OTHERS, WAYS
from anomalo.cleaning.learning.ways.way import LONGEST
from anomalo.errors import ArtefactError

Codes = NDArray[np.int64]

CONDITIONAL = ("constant", "style", "number", "replace")
"""Ways that may hold for one format only."""


@dataclass(frozen=True)
class Rule:
    """A function from a row's cells to the text of one of them.

    Attributes
    ----------
    way : str
        One of `ways.known`.
    arguments : tuple of str
        The way's.
    source : str or None
        The column whose text is rewritten; the cell's own if None.
    when : str or None
        The format, by `formats.runs`, of the cells that the rule holds for; of all if None.
    """

    way: str
    arguments: tuple[str, ...]
    source: str | None = None
    when: str | None = None

    def holds(self, text: str) -> bool:
        """Whether the rule is for a cell with this text."""
        return self.when is None or (len(text) <= LONGEST and runs(text) == self.when)

    def rewritten(self, text: str) -> str | None:
        """Return what the way makes of a text of the source; None where it does not apply."""
        return EVERY[self.way].apply(self.arguments, text) if len(text) <= LONGEST else None

    def describe(self, column: str) -> str:
        """Return the rule as a sentence.

        Examples
        --------
        >>> Rule("strip", ("end", " oz")).describe("weight")
        "in `weight`: take ' oz' off the end"
        """
        what = EVERY[self.way].describe(self.arguments)
        source = f" from `{self.source}`" if self.source is not None else ""
        when = f", for cells of the format {self.when!r}" if self.when else ", where it is empty" * (self.when == "")
        return f"in `{column}`: {what}{source}{when}"

    def outputs(
        self, table: CodedTable, column: CodedColumn, rows: Codes | None = None
    ) -> tuple[Codes, list[str | None]]:
        """Return each row's position among the rewritten texts, and those texts; of all rows by default.

        A text is None where the rule does not hold, does not apply, or leaves the cell as it is.
        """
        rows = np.arange(table.rows) if rows is None else rows
        if self.source is None:
            distinct, position = np.unique(column.codes[rows], return_inverse=True)
            observed = [column.values[code] for code in distinct]
            made = [self.rewritten(text) if self.holds(text) else None for text in observed]
            return position, [None if text == old else text for text, old in zip(made, observed, strict=True)]
        if self.source not in table.names:
            return np.zeros(len(rows), dtype=np.int64), [None]
        source = table.columns[table.names.index(self.source)]
        pairs, position = np.unique(source.codes[rows] * len(column.values) + column.codes[rows], return_inverse=True)
        texts = []
        for at, code in zip(*np.divmod(pairs, len(column.values)), strict=True):
            observed = column.values[code]
            text = self.rewritten(source.values[at]) if self.holds(observed) else None
            texts.append(None if text == observed else text)
        return position, texts

    def to_json(self) -> dict[str, object]:
        """Return the rule as plain values."""
        return {"way": self.way, "arguments": list(self.arguments), "source": self.source, "when": self.when}

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Rule:
        """Rebuild a rule from `to_json`.

        Raises
        ------
        ArtefactError
            The values are of no rule that this version knows.
        """
        way, arguments, source, when = (values.get(name) for name in ("way", "arguments", "source", "when"))
        known = WAYS if source is None else FROM_OTHERS
        if not isinstance(way, str) or way not in known or not isinstance(arguments, list):
            raise ArtefactError(f"a saved rule for wrong cells is damaged, or of a later version: {dict(values)!r}")
        return cls(way, tuple(map(str, arguments)), _text(source), _text(when))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def proposals(before: str, after: str, row: Mapping[str, str]) -> Iterator[Rule]:
    """Yield the rules that rewrite one text as another.

    Parameters
    ----------
    before, after : str
        A cell's text and the right one.
    row : mapping of str to str
        The texts of the other cells of its row.
    """
    if before == after or max(len(before), len(after)) > LONGEST:
        return
    for name, way in WAYS.items():
        for arguments in dict.fromkeys(way.propose(before, after)):
            if name != "constant":
                yield Rule(name, arguments)
            if name in CONDITIONAL:
                yield Rule(name, arguments, None, runs(before))
    for source, text in row.items():
        if after and text and len(text) <= LONGEST:
            for name, way in FROM_OTHERS.items():
                for arguments in dict.fromkeys(way.propose(text, after)):
                    yield Rule(name, arguments, source, runs(before))
                    yield Rule(name, arguments, source)
