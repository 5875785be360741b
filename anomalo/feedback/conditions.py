"""Conditions on the cells of one column, by which rows like reviewed ones are found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.tabular.columns import Columns, Values
from anomalo.tabular.moments.derived import DerivedColumn, Part
from anomalo.tabular.parsing import Mask, Texts
from anomalo.tabular.writing.digits import interval_digits


def cells_of(columns: Columns, column: str, part: str = "") -> Values:
    """Return a column's cells, or that part of its points in time, such as "hour"."""
    return DerivedColumn(cast("Part", part), (column,)).values(columns) if part else columns.values[column]


@dataclass(frozen=True)
class Condition:
    """What holds for the cells of one column: some levels, an interval of numbers, or that they are missing.

    Attributes
    ----------
    column : str
        The column's name.
    part : str
        Of a point in time, the part that is compared: "hour", "weekday" or "month"; empty for the cell itself.
    levels : tuple of str
        Levels, any of which holds.
    low, high : float
        The ends of an interval, included, in the column's original units. Without levels and interval, both are nan:
        the cell is missing.

    Examples
    --------
    >>> print(Condition("time", "hour", ("02:00", "03:00")))
    hour of time is 02:00 or 03:00
    >>> print(Condition("pressure", low=3.5, high=4.25))
    pressure from 3.5 to 4.25
    """

    column: str
    part: str = ""
    levels: tuple[str, ...] = ()
    low: float = math.nan
    high: float = math.nan

    def __str__(self) -> str:
        name = f"{self.part} of {self.column}" if self.part else self.column
        if self.levels:
            others, last = ", ".join(self.levels[:-1]), self.levels[-1]
            return f"{name} is {others} or {last}" if others else f"{name} is {last}"
        if math.isnan(self.low):
            return f"{name} is missing"
        low, high = interval_digits(self.low, self.high)
        return f"{name} is {low}" if low == high else f"{name} from {low} to {high}"

    def of(self, columns: Columns) -> Mask:
        """Return which rows of a batch it holds for, bool [n]; never for a cell that cannot be read."""
        cells = cells_of(columns, self.column, self.part)
        if isinstance(cells, Texts):
            return self._of_texts(cells)
        if not math.isnan(self.low):
            return np.asarray((cells >= self.low) & (cells <= self.high))
        unreadable = columns.unreadable.get(self.column)
        return np.isnan(cells) if unreadable is None else np.isnan(cells) & ~unreadable

    def _of_texts(self, cells: Texts) -> Mask:
        if self.levels:
            among = pc.is_in(cells.distinct, pa.array(self.levels, pa.string()))
        else:
            among = pc.is_null(cells.distinct)
        found = np.append(among.to_numpy(zero_copy_only=False), not self.levels)  # the last one for an index of -1
        return np.asarray(found[cells.index], dtype=np.bool_)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        ends = {} if math.isnan(self.low) else {"low": self.low, "high": self.high}
        return {"column": self.column, "part": self.part, "levels": list(self.levels), **ends}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Rebuild it from `to_json`."""
        ends = value.get("low", math.nan), value.get("high", math.nan)
        return cls(value["column"], value["part"], tuple(value["levels"]), *ends)


def joined(parts: list[Columns]) -> Columns:
    """Return parsed batches of the same columns as one.

    Parameters
    ----------
    parts : list of Columns
        At least one.
    """
    values: dict[str, Values] = {}
    unreadable: dict[str, Mask] = {}
    for name, first in parts[0].values.items():
        cells = [part.values[name] for part in parts]
        if isinstance(first, Texts):
            values[name] = _as_texts([each.expand() for each in cells if isinstance(each, Texts)])
        else:
            values[name] = np.concatenate([np.asarray(each) for each in cells])
        bad = [part.unreadable.get(name, np.zeros(part.rows, dtype=np.bool_)) for part in parts]
        if any(each.any() for each in bad):
            unreadable[name] = np.concatenate(bad)
    return Columns(sum(part.rows for part in parts), values, unreadable)


def _as_texts(arrays: list[pa.Array]) -> Texts:
    found = pa.concat_arrays(arrays).dictionary_encode()
    return Texts(found.dictionary, found.indices.fill_null(-1).to_numpy().astype(np.int32))
