"""A table whose cells are texts: each column by its distinct texts and every row's code among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.cleaning.evidence.numbers import numbers_of
from anomalo.tabular.cells import Cells
from anomalo.tabular.columns import ParsedTable

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LONGEST = 256
"""So many characters of a cell are looked at; a longer text is read as its start and its length."""
NUMERIC = 0.7
"""A column with a larger share of numbers among its non-empty cells holds numbers."""


@dataclass(frozen=True)
class CodedColumn:
    """One column of texts.

    Attributes
    ----------
    name : str
        As in the table.
    values : list of str
        The distinct texts [k], in the order of their first row; an empty text for a null.
    codes : int64 array [n]
        The position in `values` of each row's text.
    """

    name: str
    values: list[str]
    codes: Codes = field(repr=False)

    @classmethod
    def of(cls, name: str, texts: Sequence[str]) -> CodedColumn:
        """Return a column of texts [n]."""
        return cls._of_array(name, pa.array(texts, pa.string()))

    @classmethod
    def _of_array(cls, name: str, texts: pa.Array) -> CodedColumn:
        coded = pc.fill_null(texts, "").dictionary_encode()
        return cls(name, coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False).astype(np.int64))

    @classmethod
    def of_cells(cls, name: str, cells: Cells) -> CodedColumn:
        """Return a column of trimmed texts as the table has them; typed values in their usual spelling."""
        index = cells.distinct[1]
        texts = cells.texts.take(pa.array(index, mask=index < 0))
        return cls._of_array(name, texts)

    @cached_property
    def short(self) -> list[str]:
        """The distinct texts [k], cut after `LONGEST` characters."""
        return [value if len(value) <= LONGEST else f"{value[:LONGEST]}…{len(value)}" for value in self.values]

    @cached_property
    def counts(self) -> Codes:
        """How many rows have each distinct text [k]."""
        return np.bincount(self.codes, minlength=len(self.values)).astype(np.int64)

    @cached_property
    def numbers(self) -> Floats:
        """The distinct texts as numbers [k]; nan where one is none."""
        return numbers_of(self.short)

    @cached_property
    def empty(self) -> Mask:
        """Which of the distinct texts [k] are empty."""
        return np.array([not value for value in self.values], dtype=np.bool_)

    @cached_property
    def numeric_share(self) -> float:
        """The share of numbers among the rows that are not empty."""
        there = self.counts * ~self.empty
        return float((there * ~np.isnan(self.numbers)).sum() / max(there.sum(), 1))

    @property
    def numeric(self) -> bool:
        """Whether the column holds numbers."""
        return self.numeric_share > NUMERIC


@dataclass(frozen=True)
class CodedTable:
    """Columns of texts with the same rows."""

    rows: int
    columns: list[CodedColumn]

    @classmethod
    def of(cls, table: ParsedTable | pa.Table | pa.RecordBatch) -> CodedTable:
        """Return the cells of a table as texts, as they were read."""
        parsed = ParsedTable.of(table)
        return cls(parsed.rows, [CodedColumn.of_cells(name, parsed.cells(name)) for name in parsed.names])

    @classmethod
    def of_texts(cls, columns: Mapping[str, Sequence[str]]) -> CodedTable:
        """Return a table from its columns' texts [n]."""
        coded = [CodedColumn.of(name, texts) for name, texts in columns.items()]
        return cls(len(coded[0].codes) if coded else 0, coded)

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [column.name for column in self.columns]
