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
from anomalo.persistence.checksums import digest
from anomalo.tabular.cells import Cells
from anomalo.tabular.columns import ParsedTable

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LONGEST = 256
"""So many characters of a cell are looked at; a longer text is read as its start and its length."""
NUMERIC = 0.7
"""A column with a larger share of numbers among its non-empty cells holds numbers."""
REFERENCE = 50_000
"""So many rows are kept of a longer reference."""


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
    reference : int, optional
        How many rows, the first ones, are the reference that all statistics come from; by default all are. The others
        are new: what is said of one depends on the reference and on itself alone.
    """

    name: str
    values: list[str]
    codes: Codes = field(repr=False)
    reference: int | None = None

    @classmethod
    def of(cls, name: str, texts: Sequence[str]) -> CodedColumn:
        """Return a column of texts [n]; half a surrogate pair is read as U+FFFD, as it is in no file."""
        try:
            array = pa.array(texts, pa.large_string())
        except UnicodeEncodeError:
            whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
            array = pa.array(whole, pa.large_string())
        return cls.of_array(name, array)

    @classmethod
    def of_array(cls, name: str, texts: pa.Array) -> CodedColumn:
        """Return a column of an array of strings [n]."""
        coded = pc.fill_null(texts, "").dictionary_encode()
        return cls(name, coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False).astype(np.int64))

    @classmethod
    def of_cells(cls, name: str, cells: Cells) -> CodedColumn:
        """Return a column of trimmed texts as the table has them; typed values in their usual spelling."""
        index = cells.distinct[1]
        texts = cells.texts.take(pa.array(index, mask=index < 0))
        return cls.of_array(name, texts)

    @cached_property
    def short(self) -> list[str]:
        """The distinct texts [k], cut after `LONGEST` characters."""
        return [value if len(value) <= LONGEST else f"{value[:LONGEST]}…{len(value)}" for value in self.values]

    @cached_property
    def counts(self) -> Codes:
        """How many rows of the reference have each distinct text [k]; 0 for one that only new rows have."""
        return np.bincount(self.codes[: self.reference], minlength=len(self.values)).astype(np.int64)

    @cached_property
    def distinct(self) -> int:
        """How many distinct texts the reference has."""
        return int(np.count_nonzero(self.counts))

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
        """The share of numbers among the reference's rows that are not empty."""
        there = self.counts * ~self.empty
        return float((there * ~np.isnan(self.numbers)).sum() / max(there.sum(), 1))

    @property
    def numeric(self) -> bool:
        """Whether the column holds numbers."""
        return self.numeric_share > NUMERIC


@dataclass(frozen=True)
class CodedTable:
    """Columns of texts with the same rows.

    Attributes
    ----------
    rows : int
        How many.
    columns : list of CodedColumn
        In the order of the table.
    reference : int, optional
        How many rows, the first ones, are the reference that all statistics come from; by default all are.
    """

    rows: int
    columns: list[CodedColumn]
    reference: int | None = None

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

    @classmethod
    def joined(cls, reference: CodedTable, new: CodedTable) -> CodedTable:
        """Return the rows of a reference with new ones behind them, whose columns are matched by name.

        Raises
        ------
        KeyError
            The new rows lack a column of the reference; those that it does not have are left out.
        """
        others = {column.name: column for column in new.columns}
        columns = [_joined(column, others[column.name]) for column in reference.columns]
        return cls(reference.rows + new.rows, columns, reference.rows)

    @classmethod
    def of_arrow(cls, table: pa.Table) -> CodedTable:
        """Return the table that `to_arrow` wrote."""
        columns = [
            CodedColumn.of_array(name, table[name].cast(pa.large_string()).combine_chunks())
            for name in table.column_names
        ]
        return cls(table.num_rows, columns)

    def to_arrow(self) -> pa.Table:
        """Return the texts as dictionary columns, for a file."""
        arrays = {
            column.name: pa.DictionaryArray.from_arrays(
                pa.array(column.codes.astype(np.int32)), pa.array(column.values, pa.large_string())
            )
            for column in self.columns
        }
        return pa.table(arrays)

    def to_bytes(self) -> NDArray[np.uint8]:
        """Return the texts as an Arrow stream, uint8 [bytes], for an artefact."""
        table, sink = self.to_arrow(), pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return np.frombuffer(sink.getvalue(), dtype=np.uint8)

    @classmethod
    def of_bytes(cls, stream: NDArray[np.uint8]) -> CodedTable:
        """Return the table that `to_bytes` wrote.

        Raises
        ------
        ValueError
            It is no Arrow stream.
        """
        return cls.of_arrow(pa.ipc.open_stream(stream.tobytes()).read_all())

    def by_content(self) -> Codes:
        """Return the rows' numbers [n] ordered by their texts: the same order of texts in any order of rows."""
        return np.argsort(_hashes(self), kind="stable")

    def taken(self, rows: Codes) -> CodedTable:
        """Return some rows, in the order that is given."""
        return CodedTable(len(rows), [_taken(column, rows) for column in self.columns])

    def sampled(self, most: int = REFERENCE) -> CodedTable:
        """Return at most so many rows, in their order, chosen by their content: the same ones in any order of rows."""
        if self.rows <= most:
            return self
        return self.taken(np.sort(self.by_content()[:most]))

    @cached_property
    def originals(self) -> Codes:
        """The row [n] that a row is known as: a new one that equals a row of the reference as the first such row."""
        result = np.arange(self.rows)
        if self.reference is None or not self.columns:
            return result
        key = np.zeros(self.rows, dtype=np.int64)
        for column in self.columns:
            key = np.unique(key * len(column.values) + column.codes, return_inverse=True)[1].astype(np.int64)
        first = np.full(self.rows, self.rows)
        np.minimum.at(first, key[: self.reference], result[: self.reference])
        known = first[key[self.reference :]]
        result[self.reference :] = np.where(known < self.rows, known, result[self.reference :])
        return result

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [column.name for column in self.columns]


def _joined(reference: CodedColumn, new: CodedColumn) -> CodedColumn:
    index = {value: code for code, value in enumerate(reference.values)}
    known = len(reference.codes)
    codes = np.array([index.setdefault(value, len(index)) for value in new.values], dtype=np.int64)
    return CodedColumn(reference.name, list(index), np.concatenate([reference.codes, codes[new.codes]]), known)


def _taken(column: CodedColumn, rows: Codes) -> CodedColumn:
    """Return some rows of a column, its texts in the order of their first row there."""
    found, first, codes = np.unique(column.codes[rows], return_index=True, return_inverse=True)
    order = np.argsort(first)
    position = np.argsort(order)
    return CodedColumn(column.name, [column.values[code] for code in found[order]], position[codes].astype(np.int64))


def _hashes(table: CodedTable) -> NDArray[np.uint64]:
    """Return a hash of each row's texts [n], the same in any order of columns."""
    total = np.zeros(table.rows, dtype=np.uint64)
    for column in table.columns:
        of_values = [_hash(f"{column.name}\0{value}") for value in column.values]
        total += np.array(of_values, dtype=np.uint64)[column.codes]
    return total


def _hash(text: str) -> int:
    return int(digest(text.encode())[:16], 16)
