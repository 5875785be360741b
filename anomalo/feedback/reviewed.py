"""Rows with what analysts said of them, from which patterns are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask, Scores
from anomalo.encoding.layout import Block
from anomalo.encoding.scaling import compress, expand
from anomalo.feedback.patterns import Pattern
from anomalo.tabular.columns import Columns
from anomalo.tabular.understanding.number_parts import Numbers

Rows = NDArray[np.intp]
CONFIRMED, FALSE, EXPECTED = ("acknowledged", "fixed"), "false alarm", "expected"
"""The states of reviewed rows, as `anomalo.workspace.reviews` has them."""
EXPLAINED, COLUMNS = 0.8, 3
"""The main reasons of a row: the largest ones up to this share of all contributions, and at most so many."""


@dataclass(frozen=True)
class Reviewed:
    """Some rows of scored tables, reviewed or not.

    Attributes
    ----------
    columns : Columns [n]
        Their cells.
    states : sequence of str [n]
        What was said of each; "new" where nothing was.
    scores : float64 [n]
        By the model that is to learn from them; minus infinity where another one has scored the row.
    reasons : sequence of mapping of str to float [n]
        The contributions of the columns that explain each row; empty for rows without explanation.
    blocks : mapping of str to Block
        How the model encodes each column.
    """

    columns: Columns
    states: Sequence[str]
    scores: Scores
    reasons: Sequence[Mapping[str, float]]
    blocks: Mapping[str, Block]

    def rows(self, *states: str) -> Rows:
        """Return the rows in any of some states, ascending."""
        return np.flatnonzero(np.isin(np.array(self.states, dtype=object).astype(str), states))

    @property
    def confirmed(self) -> Mask:
        """Which rows analysts confirmed, bool [n]."""
        found = np.zeros(self.columns.rows, dtype=np.bool_)
        found[self.rows(*CONFIRMED)] = True
        return found

    def main_reasons(self, row: int) -> list[str]:
        """Return the columns that explain most of a row's score, the first one first."""
        found = sorted(self.reasons[row].items(), key=lambda item: (-item[1], item[0]))
        total, taken, names = sum(value for _, value in found if value > 0), 0.0, list[str]()
        for name, value in found[:COLUMNS]:
            if value <= 0 or taken >= EXPLAINED * total:
                break
            names.append(name)
            taken += value
        return names

    def alike(self, pattern: Pattern) -> float:
        """Return, of the explained rows that a pattern accepts, the share that is anomalous because of its columns.

        Rows that analysts do not want as alerts are left out. It is 1 if no other one is explained.
        """
        names = {condition.column for condition in pattern.conditions}
        found = pattern.of(self.columns) & (self.scores <= pattern.limit)
        found[self.rows(FALSE, EXPECTED)] = False
        first = [reasons[0] for row in np.flatnonzero(found).tolist() if (reasons := self.main_reasons(row))]
        return sum(name in names for name in first) / len(first) if first else 1.0

    def encoded(self, column: str, numbers: Numbers) -> Numbers:
        """Return numbers of a column on the scale that the model sees."""
        block = self.blocks[column]
        return compress(numbers, block.offset, block.scale)

    def interval(self, column: str, numbers: Numbers, margin: float) -> tuple[float, float]:
        """Return the ends, in original units, of the interval of numbers [k] and a margin on the model's scale."""
        block, seen = self.blocks[column], self.encoded(column, numbers)
        ends = expand(np.array([seen.min() - margin, seen.max() + margin]), block.offset, block.scale)
        # The margin of a number far from the centre may be smaller than its rounding.
        return min(float(ends[0]), float(numbers.min())), max(float(ends[1]), float(numbers.max()))

    def contradict(self, pattern: Pattern) -> bool:
        """Whether a row that a pattern accepts is confirmed."""
        return bool((self.scores[pattern.of(self.columns) & self.confirmed] <= pattern.limit).any())

    def lowest_confirmed(self, pattern: Pattern) -> float:
        """Return the lowest score of confirmed rows that fit a pattern's conditions; infinity if there is none."""
        return float(self.scores[pattern.of(self.columns) & self.confirmed].min(initial=np.inf))
