"""A batch's columns as numbers and texts, and a table whose columns are each parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.tabular import parsing
from anomalo.tabular.cells import Cells, whole
from anomalo.tabular.column import MEASURED, Column, is_text_column
from anomalo.tabular.parsing import Mask, Texts
from anomalo.tabular.understanding.number_parts import Numbers
from anomalo.tabular.understanding.reading import PLAIN, Reading

Values = Numbers | Texts
Parsed = tuple[Values, Mask | None]
"""A column's values, and which of its cells are unreadable; None if none is."""


@dataclass(frozen=True)
class Columns:
    """The parsed columns of a batch.

    Attributes
    ----------
    rows : int
        How many rows it has.
    values : mapping of str to Numbers or Texts
        By column: float64 [rows] with nan for a missing cell, or texts.
    unreadable : mapping of str to bool array
        By measured column that has any: the cells [rows] that are not missing, and cannot be read as the column's kind;
        their values are nan.
    """

    rows: int
    values: Mapping[str, Values]
    unreadable: Mapping[str, Mask] = field(default_factory=dict)

    def take(self, rows: NDArray[np.intp]) -> Columns:
        """Return the rows at these positions."""
        values: dict[str, Values] = {
            name: Texts(cells.distinct, cells.index[rows]) if isinstance(cells, Texts) else cells[rows]
            for name, cells in self.values.items()
        }
        return Columns(len(rows), values, {name: mask[rows] for name, mask in self.unreadable.items()})


@dataclass(frozen=True)
class ParsedTable:
    """A table whose columns are parsed once, however often they are asked for in the same understanding.

    Attributes
    ----------
    table : Table or RecordBatch [n]
        As it was read.
    """

    table: pa.Table | pa.RecordBatch
    _parsed: dict[str, tuple[Any, Parsed]] = field(default_factory=dict, init=False, repr=False)
    _cells: dict[str, Cells] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, table: ParsedTable | pa.Table | pa.RecordBatch) -> ParsedTable:
        """Return the table, none of whose columns are parsed yet, or the one that is given."""
        return table if isinstance(table, ParsedTable) else cls(table)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.table.num_rows)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self.table.schema.names)

    def cells(self, name: str) -> Cells:
        """Return a column's cells."""
        if name in self._cells:
            return self._cells[name]
        column = self.table.column(name)
        whole_column = whole(column) if isinstance(column, pa.ChunkedArray) else column
        return Cells(whole_column, is_text_column(self.table.schema, name))

    def keep(self, name: str, cells: Cells) -> None:
        """Keep a column's cells, with what has been read of them, for later calls of `cells`."""
        self._cells[name] = cells

    def parse(
        self,
        column: Column,
        reading: Reading = PLAIN,
        first_row: int = 0,
        cells: Cells | None = None,
    ) -> Parsed:
        """Return a column's values [n] as `parsing` reads them from `cells`, by default those of the table."""
        mine = reading.of(column.name)
        understanding = (column.kind, column.numbers.reading, column.date_format, column.tokens, mine)
        known = self._parsed.get(column.name)
        if known is None or known[0] != understanding:
            cells = cells or self.cells(column.name)
            if column.kind in MEASURED:
                known = understanding, parsing.measured(column, cells, reading, first_row)
            else:
                known = understanding, (parsing.levels(column, cells, reading), None)
            self._parsed[column.name] = known
        return known[1]
