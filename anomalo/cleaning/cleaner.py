"""A fitted cleaner: the rows that it learned from and what answers taught, applied to those or to new rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.decided import Decided, decided
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.features import Characters, trigrams
from anomalo.cleaning.learning.labels import Labels
from anomalo.cleaning.learning.learned import Learned, learn
from anomalo.cleaning.listing import listed
from anomalo.cleaning.suspects import Suspects

Rows = NDArray[np.int64]
Spelling = Callable[[CodedTable], Characters]
"""What a table's reference says of the characters of texts."""


def by_trigrams(table: CodedTable) -> Characters:
    """Return that trigrams of each column say it."""
    return trigrams


@dataclass(frozen=True)
class Cleaned:
    """What is suspected of the rows of a table.

    Attributes
    ----------
    examined : Examined
        The rows that evidence comes from, and behind them those of the table that are new.
    suspects : Suspects
        Of all these rows.
    rows : int64 array [n]
        The position of each of the table's rows among them.
    learned : Learned or None
        What answers taught.
    """

    examined: Examined
    suspects: Suspects
    rows: Rows
    learned: Learned | None

    def lines(self) -> pa.Table:
        """Return a line for each suspected cell of the table; see `listing.listed`."""
        return listed(self.examined, self.suspects, self.rows, self.learned)

    def dependencies(self) -> list[Decided]:
        """Return which columns of a table that was learned from decide others; none of new rows."""
        table = self.examined.table
        return decided(table, self.suspects) if table.reference is None else []


@dataclass(frozen=True)
class Cleaner:
    """A fitted cleaner.

    Attributes
    ----------
    reference : CodedTable
        The rows that it learned from.
    learned : Learned or None
        What answers about them taught; None without any.
    spelling : Spelling
        How improbable characters are, by the reference of a table.
    """

    reference: CodedTable
    learned: Learned | None = None
    spelling: Spelling = field(default=by_trigrams, compare=False)

    @classmethod
    def fit(
        cls, table: CodedTable, labels: Labels | None = None, spelling: Spelling = by_trigrams
    ) -> tuple[Cleaner, Cleaned]:
        """Learn from a table, and return what is suspected of its rows, too.

        Parameters
        ----------
        table : CodedTable
            The cells.
        labels : Labels, optional
            Answers about some of them.
        spelling : callable, optional
            How improbable the characters of a table's texts are.
        """
        examined = Examined.of(table, spelling(table))
        learned = learn(examined, labels) if labels is not None and labels.answers else None
        found = examined.suspects if learned is None else learned.suspects(examined, labels)
        return cls(table, learned, spelling), Cleaned(examined, found, np.arange(table.rows), learned)

    def clean(self, table: CodedTable) -> Cleaned:
        """Return what is suspected of the rows of a table with the same columns, whatever their neighbours.

        A row that equals one of the reference has what is suspected of that one.
        """
        joined = CodedTable.joined(self.reference, table)
        examined = Examined.of(joined, self.spelling(joined))
        found = examined.suspects if self.learned is None else self.learned.suspects(examined)
        return Cleaned(examined, found, joined.originals[self.reference.rows :], self.learned)
