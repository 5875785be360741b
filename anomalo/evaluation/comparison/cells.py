"""A column's cells as one number each: what comparisons are computed of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.errors import SchemaError
from anomalo.evaluation.comparison.profile import Values
from anomalo.tabular.cells import Cells, is_plain
from anomalo.tabular.column import LEFT_OUT, MEASURED, Column
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.parsing import Mask, Texts, a_kind, is_missing, mostly_unreadable
from anomalo.tabular.understanding.reading import Reading


@dataclass(frozen=True)
class Read:
    """The cells of some rows of a column.

    Attributes
    ----------
    values : float64 [n]
        Numbers, positions in `levels`, lengths of texts, or hashes of identifiers; nan where a cell is missing.
    unreadable : int
        How many cells are not missing, and cannot be read.
    levels : list of str
        Of a category, in any order.
    """

    values: Values
    unreadable: int = 0
    levels: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """How many cells are missing."""
        return int(np.isnan(self.values).sum()) - self.unreadable


def read(table: ParsedTable, column: Column, reading: Reading) -> Read:
    """Return the cells of a column of a table.

    Raises
    ------
    SchemaError
        They are of a type that does not fit the column's kind.
    """
    if column.kind in LEFT_OUT:
        return _texts(column, table.cells(column.name), reading)
    values, bad = table.parse(column, reading, first_row=1)
    if not isinstance(values, Texts):
        return Read(values, 0 if bad is None else int(bad.sum()))
    return _levels(values)


def require_kind(column: Column, found: Read) -> None:
    """Check that not most cells are unreadable.

    Raises
    ------
    SchemaError
        They are.
    """
    present = len(found.values) - found.missing
    if column.kind in MEASURED and mostly_unreadable(found.unreadable, present):
        raise SchemaError(f"{found.unreadable:,} of {present:,} cells cannot be read as {a_kind(column.kind)}")


def hashed(texts: pa.StringArray) -> Values:
    """Return a hash of each text as a whole number that float64 holds; nan for null."""
    import pandas as pd

    codes = pd.util.hash_array(texts.to_numpy(zero_copy_only=False), categorize=False) >> np.uint64(11)
    return np.where(_null(texts), np.nan, codes.astype(np.float64))


def _levels(texts: Texts) -> Read:
    distinct = texts.distinct.to_pylist()
    code = {text: at for at, text in enumerate(dict.fromkeys(text for text in distinct if text is not None))}
    codes = np.array([np.nan if text is None else code[text] for text in (*distinct, None)], dtype=np.float64)
    return Read(codes[texts.index], levels=tuple(code))


def _texts(column: Column, cells: Cells, reading: Reading) -> Read:
    if not is_plain(cells.array.type):
        raise SchemaError(f"it holds {cells.array.type}, which has no single values")
    texts = cells.texts
    missing = pc.fill_null(is_missing(texts, column.kind, reading.of(column.name), cells.text), True)
    texts = pc.if_else(missing, None, texts)
    values = hashed(texts) if column.kind == "identifier" else _lengths(texts)
    return Read(np.append(values, np.nan)[cells.distinct[1]])


def _lengths(texts: pa.StringArray) -> Values:
    lengths = pc.utf8_length(texts).cast(pa.float64())
    return np.asarray(lengths.to_numpy(zero_copy_only=False), dtype=np.float64)


def _null(texts: pa.StringArray) -> Mask:
    found: Mask = texts.is_null().to_numpy(zero_copy_only=False)
    return found
