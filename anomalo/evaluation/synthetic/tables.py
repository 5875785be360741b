"""Several tables as comparable rows: numbers in original units, categories as codes of one common list of levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask
from anomalo.errors import SchemaError
from anomalo.tabular.column import Column
from anomalo.tabular.columns import ParsedTable, Values
from anomalo.tabular.parsing import Texts, require_readable
from anomalo.tabular.schema import Schema, SchemaOptions, infer

Cells = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Rows of one table, comparable with those of the other tables that they were read with.

    Attributes
    ----------
    columns : tuple of str
        The columns' names.
    levels : tuple of tuple of str
        A category's levels, the most frequent in the first table first; empty for a number.
    cells : float64 [n, columns]
        Numbers (a datetime is seconds since 1970), and the positions of categories in `levels`; NaN for a
        missing value.
    """

    columns: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    cells: Cells

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def categories(self) -> Mask:
        """Which columns are categories, bool [columns]."""
        return np.array([bool(levels) for levels in self.levels], dtype=bool)

    def take(self, rows: NDArray[Any] | slice) -> Rows:
        """Return the rows selected by an index array, a mask or a slice."""
        return Rows(self.columns, self.levels, self.cells[rows])

    def at_most(self, rows: int, rng: np.random.Generator) -> Rows:
        """Return the rows, or a random sample of `rows` of them."""
        return self if len(self) <= rows else self.take(rng.choice(len(self), rows, replace=False))


def side_by_side(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, Rows]:
    """Read the features, and the label, of several tables alike.

    Parameters
    ----------
    tables : mapping of str to Table
        From any source, with at least these columns; the order does not matter.
    schema : Schema
        What the columns are, as inferred from the first table.

    Raises
    ------
    SchemaError
        A column is absent, or a cell is not of its column's kind; the table is named.
    """
    columns = [column for column in schema.columns if column.role in ("feature", "label") and column.kind != "empty"]
    for name, table in tables.items():
        _check(name, table, columns)
    read = [_read(column, tables, schema) for column in columns]
    cells = {name: np.column_stack([found[name] for _, found in read]) for name in tables}
    names, levels = tuple(column.name for column in columns), tuple(levels for levels, _ in read)
    return {name: Rows(names, levels, cells[name]) for name in tables}


def of_frames(frames: Mapping[str, pd.DataFrame], options: SchemaOptions | None = None) -> dict[str, Rows]:
    """Return what `side_by_side` does for DataFrames, the first of which says what the columns are."""
    tables = {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in frames.items()}
    return side_by_side(tables, infer(next(iter(tables.values())), options))


def _check(name: str, table: pa.Table, columns: list[Column]) -> None:
    absent = [column.name for column in columns if column.name not in table.column_names]
    if absent:
        raise SchemaError(f"the {name} rows lack column {', '.join(map(repr, absent))}; give a table that has it")


def _read(column: Column, tables: Mapping[str, pa.Table], schema: Schema) -> tuple[tuple[str, ...], dict[str, Cells]]:
    """Return a column's levels, and its cells [n] in each table."""
    found: dict[str, Values] = {}
    try:
        for name, table in ((name, ParsedTable(table)) for name, table in tables.items()):
            found[name], unreadable = table.parse(column, schema.reading)
            if unreadable is not None:
                cells, numbers = table.cells(column.name), cast("Cells", found[name])
                require_readable(column, cells, numbers, unreadable)
    except SchemaError as error:
        raise SchemaError(f"{error} (the tables to compare must have columns of the same kinds)") from error
    texts = {name: values.expand() for name, values in found.items() if isinstance(values, Texts)}
    return _codes(texts) if texts else ((), {name: cast("Cells", values) for name, values in found.items()})


def _codes(texts: Mapping[str, pa.StringArray]) -> tuple[tuple[str, ...], dict[str, Cells]]:
    counted = [pc.value_counts(array.drop_null()) for array in texts.values()]
    levels: dict[str, None] = {}
    for pairs in counted:
        order = sorted(pairs.to_pylist(), key=lambda pair: (-pair["counts"], pair["values"]))
        levels |= dict.fromkeys(pair["values"] for pair in order)
    known = pa.array(list(levels) or ["nothing"], pa.string())
    codes = {name: pc.index_in(array, known).cast(pa.float64()) for name, array in texts.items()}
    return tuple(known.to_pylist()), {
        name: np.array(code.to_numpy(zero_copy_only=False)) for name, code in codes.items()
    }
