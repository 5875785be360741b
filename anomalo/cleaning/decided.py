"""Which columns decide others in nearly all rows: the rules of `anomalo.rules`, found without the suspected cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.suspects import Suspects
from anomalo.rules.dependencies import Dependency
from anomalo.rules.discovery import discover
from anomalo.tabular.column import Column
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts

NULL = -1


@dataclass(frozen=True)
class Decided:
    """A functional dependency with exceptions.

    Attributes
    ----------
    rule : str
        In words.
    support, exceptions : int
        Rows that could break it, and those of them that do.
    """

    rule: str
    support: int
    exceptions: int


def decided(table: CodedTable, found: Suspects) -> list[Decided]:
    """Return which columns decide others, those with most exceptions first.

    What holds where no cell is suspected is counted in all rows of the table: the exceptions are suspected cells, and
    those that are right all the same.
    """
    features = [Column(column.name, "category") for column in table.columns]
    flagged = found.flagged
    clean = {column.name: _texts(column, flagged[:, at]) for at, column in enumerate(table.columns)}
    every = Columns(table.rows, {column.name: _texts(column) for column in table.columns})
    rules = [rule for rule in discover(Columns(table.rows, clean), features) if isinstance(rule, Dependency)]
    result = [Decided(rule.text, int(rule.applies(every).sum()), int(rule.broken(every).sum())) for rule in rules]
    return sorted(result, key=lambda rule: (-rule.exceptions, -rule.support, rule.rule))


def _texts(column: CodedColumn, hidden: np.ndarray | None = None) -> Texts:
    codes = np.where(column.empty[column.codes], NULL, column.codes)
    codes = codes if hidden is None else np.where(hidden, NULL, codes)
    return Texts(pa.array(column.values, pa.string()), codes.astype(np.int32))
