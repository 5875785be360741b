"""Cells replaced by texts, in whatever type their columns have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular.formatting import as_dictionary

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Replacements:
    """Texts for cells of one column.

    Attributes
    ----------
    rows : int64 array [m]
        The cells' rows in the whole table, ascending.
    texts : list of str or None
        What the cells are to hold [m]; None for a missing cell.
    """

    rows: Rows
    texts: list[str | None]

    @classmethod
    def of(cls, rows: Sequence[int], texts: Sequence[str | None]) -> Self:
        """Return the replacements in the order of rows."""
        order = np.argsort(np.asarray(rows, dtype=np.int64), kind="stable")
        return cls(np.asarray(rows, dtype=np.int64)[order], [texts[at] for at in order])

    def between(self, first: int, size: int) -> tuple[Rows, list[str | None]]:
        """Return those of `size` rows from `first` on, with positions counted from there."""
        start, end = np.searchsorted(self.rows, [first, first + size])
        return self.rows[start:end] - first, self.texts[start:end]


def by_column(rows: Sequence[int], columns: Sequence[str], texts: Sequence[str | None]) -> dict[str, Replacements]:
    """Return the replacements of each column, from the row, column and text of each cell."""
    found: dict[str, tuple[list[int], list[str | None]]] = {}
    for row, column, text in zip(rows, columns, texts, strict=True):
        mine = found.setdefault(column, ([], []))
        mine[0].append(row)
        mine[1].append(text)
    return {column: Replacements.of(*mine) for column, mine in found.items()}


def replaced(batch: pa.RecordBatch, first: int, changes: Mapping[str, Replacements]) -> pa.RecordBatch:
    """Return a batch with some cells replaced; all others, and all types, stay as they are.

    Parameters
    ----------
    batch : RecordBatch [n]
        Consecutive rows of a table.
    first : int
        The number of its first row.
    changes : mapping of str to Replacements
        By column. Each text can be written in the column's type: see `writable`.
    """
    columns = []
    for name, cells in zip(batch.schema.names, batch.columns, strict=True):
        rows, texts = changes[name].between(first, batch.num_rows) if name in changes else (np.zeros(0, int), [])
        columns.append(_replaced(cells, rows, texts) if len(rows) else cells)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def texts_of(cells: pa.Array, rows: Rows) -> list[str | None]:
    """Return the cells of some rows as texts that `replaced` writes back; None for a missing cell."""
    found: list[str | None] = _plain(cells.take(pa.array(rows))).cast(pa.string()).to_pylist()
    return found


def writable(texts: Sequence[str | None], kind: pa.DataType) -> NDArray[np.bool_]:
    """Return which texts [m] can be written in an Arrow type.

    Examples
    --------
    >>> writable(["3", "3.5", None], pa.int64()).tolist()
    [True, False, True]
    """
    known = {text: _fits(text, kind) for text in set(texts)}
    return np.array([known[text] for text in texts], dtype=np.bool_)


def _fits(text: str | None, kind: pa.DataType) -> bool:
    try:
        pa.array([text], pa.string()).cast(_values(kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _values(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _plain(cells: pa.Array) -> pa.Array:
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def _replaced(cells: pa.Array, rows: Rows, texts: Sequence[str | None]) -> pa.Array:
    mask = np.zeros(len(cells), dtype=np.bool_)
    mask[rows] = True
    values = pa.array(texts, pa.string()).cast(_values(cells.type))
    changed = pc.replace_with_mask(_plain(cells), pa.array(mask), values)
    return as_dictionary(changed, cells.type) if pa.types.is_dictionary(cells.type) else changed
