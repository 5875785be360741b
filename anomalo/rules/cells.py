"""The cells of a batch as rules take them: numbers, missing cells, and the levels of columns with few values."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]
Writer = Callable[[str, Numbers], list[str]]
"""Writes numbers [k] of a named column as that column writes its cells."""

MISSING, UNKNOWN = -1, -2
"""The codes of a missing cell, and of one that holds a level which training rows did not have."""


def numbers(columns: Columns, name: str) -> Numbers:
    """Return a column's numbers, float64 [n], nan where missing or unreadable."""
    values = columns.values[name]
    if isinstance(values, Texts):
        raise TypeError(f"column {name!r} holds texts; expected numbers")
    return values


def missing(columns: Columns, name: str) -> Mask:
    """Return which cells of a column are missing, bool [n]; one that cannot be read is not."""
    values = columns.values[name]
    if isinstance(values, Texts):
        null = np.append(pc.is_null(values.distinct).to_numpy(zero_copy_only=False), True)
        found: Mask = null[values.index]
        return found
    bad = columns.unreadable.get(name)
    return np.isnan(values) if bad is None else np.isnan(values) & ~bad


def take(columns: Columns, rows: NDArray[np.intp]) -> Columns:
    """Return the rows with these numbers."""
    values = {
        name: replace(column, index=column.index[rows]) if isinstance(column, Texts) else column[rows]
        for name, column in columns.values.items()
    }
    return Columns(len(rows), values, {name: bad[rows] for name, bad in columns.unreadable.items()})


def keys(columns: Columns, names: Sequence[str]) -> NDArray[np.uint64]:
    """Return a hash [n] of each row's cells in some columns, the same in every process."""
    key = np.zeros(columns.rows, dtype=np.uint64)
    factors = np.random.Generator(np.random.Philox(0)).integers(1, 2**63, size=len(names), dtype=np.uint64)
    for name, factor in zip(names, factors, strict=True):
        key += _bits(columns, name) * (factor | np.uint64(1))
        key ^= key >> np.uint64(31)
    return key


def _bits(columns: Columns, name: str) -> NDArray[np.uint64]:
    """Return a number [n] for each cell of a column, equal for equal cells."""
    values = columns.values[name]
    if not isinstance(values, Texts):
        return (values + 0.0).view(np.uint64)
    hashed = [0 if text is None else zlib.crc32(text.encode()) for text in values.distinct.to_pylist()]
    return np.array([*hashed, 0], dtype=np.uint64)[values.index]


@dataclass(frozen=True)
class Levels:
    """The different values of a column that has few of them.

    Attributes
    ----------
    name : str
        The column.
    values : tuple of str, or tuple of float
        The values of a category, or of a number; ascending.
    """

    name: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, columns: Columns, name: str, most: int) -> Levels | None:
        """Return a column's levels; None if it has fewer than two, or more than `most`."""
        values = columns.values[name]
        if isinstance(values, Texts):
            there = np.unique(values.index[values.index >= 0])
            found = sorted(set(values.distinct.take(pa.array(there)).drop_null().to_pylist()))
        else:
            found = np.unique(values[~np.isnan(values)]).tolist()
        return cls(name, tuple(found)) if 2 <= len(found) <= most else None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Levels:
        """Rebuild levels from their fields."""
        return cls(value["name"], tuple(value["values"]))

    def codes(self, columns: Columns) -> Codes:
        """Return for each row the index of its level, int64 [n]; `MISSING` or `UNKNOWN` where it has none."""
        values = columns.values[self.name]
        if isinstance(values, Texts):
            index = pc.fill_null(pc.index_in(values.distinct, self._array), UNKNOWN).to_numpy(zero_copy_only=False)
            null = pc.is_null(values.distinct).to_numpy(zero_copy_only=False)
            return np.append(np.where(null, MISSING, index), MISSING)[values.index].astype(np.int64)
        at = np.searchsorted(self._array, values).clip(max=len(self.values) - 1)
        return np.where(np.isnan(values), MISSING, np.where(self._array[at] == values, at, UNKNOWN)).astype(np.int64)

    @property
    def textual(self) -> bool:
        """Whether the column is a category."""
        return isinstance(self.values[0], str)

    def written(self, write: Writer) -> list[str]:
        """Return the levels as the column writes them."""
        return list(self.values) if self.textual else write(self.name, np.array(self.values, dtype=np.float64))

    @cached_property
    def _array(self) -> Any:
        return pa.array(self.values, pa.string()) if self.textual else np.array(self.values, dtype=np.float64)


def by_level(codes: Codes, levels: int, masks: NDArray[Any]) -> Codes:
    """Return in how many rows of each level each mask is set, int64 [levels, k].

    Parameters
    ----------
    codes : int64 [n]
        As `Levels.codes` has them.
    levels : int
        How many there are.
    masks : [n, k]
        0 and 1.
    """
    is_level = (codes[None, :] == np.arange(levels)[:, None]).astype(np.float32)
    return np.asarray(is_level @ masks.astype(np.float32, copy=False), dtype=np.int64)


def step(values: Numbers) -> float:
    """Return the unit in the last decimal of numbers, from 1 to 1e-6; 0 if they have more decimals.

    Examples
    --------
    >>> step(np.array([1.25, 3.5])), step(np.array([2.0, np.nan])), step(np.array([1 / 3]))
    (0.01, 1.0, 0.0)
    """
    seen = values[~np.isnan(values)]
    noise = 1e-12 * max(float(np.abs(seen).max(initial=0.0)), 1.0)
    for decimals in range(7):
        if (np.abs(seen - np.round(seen, decimals)) <= noise).all():
            return float(10.0**-decimals)
    return 0.0


def decimals(unit: float) -> int:
    """Return how many decimals a number with this `step` is written with; 6 for a step of 0."""
    return round(-np.log10(unit)) if unit else 6


def plain(name: str, values: Numbers) -> list[str]:
    """Write numbers [k] of any column, to 12 digits."""
    return [f"{value:.12g}" for value in values]


def listed(names: Sequence[str]) -> str:
    """Write a list of names, with "and" before the last."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
