"""What is counted of all rows of a table, batch by batch, in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.errors import SchemaError
from anomalo.evaluation.comparison.cells import Read, read
from anomalo.evaluation.comparison.profile import Values
from anomalo.tabular.cells import is_string
from anomalo.tabular.column import MEASURED, Column
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema

MOST_LEVELS = 10_000
"""Levels of a column that are counted by name, at most; those after them are not."""
MOST_KEYS = 4_000_000
"""Hashes of keys that are kept, at most."""
CODES = 2.0**53
"""All hashes are below."""


@dataclass
class Counts:
    """The counts of one column.

    Attributes
    ----------
    missing, unreadable : int
        Cells.
    levels : Counter
        How many cells hold each level.
    whole : bool
        Whether all levels are counted.
    earliest, latest : float or None
        Of a column of points in time.
    keys : Keys or None
        Of an identifier.
    """

    missing: int = 0
    unreadable: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    whole: bool = True
    earliest: float | None = None
    latest: float | None = None
    keys: Keys | None = None

    def see(self, column: Column, found: Read) -> None:
        """Add a batch's cells."""
        self.missing += found.missing
        self.unreadable += found.unreadable
        if found.levels:
            self._count(found)
        known = found.values[~np.isnan(found.values)]
        if column.kind == "datetime" and len(known):
            self.earliest = min(float(known.min()), np.inf if self.earliest is None else self.earliest)
            self.latest = max(float(known.max()), -np.inf if self.latest is None else self.latest)
        if column.kind == "identifier":
            self.keys = self.keys or Keys()
            self.keys.see(known)

    def _count(self, found: Read) -> None:
        known = found.values[~np.isnan(found.values)].astype(np.intp)
        for level, number in zip(found.levels, np.bincount(known, minlength=len(found.levels)).tolist(), strict=True):
            if number and (level in self.levels or len(self.levels) < MOST_LEVELS):
                self.levels[level] += number
            elif number:
                self.whole = False


@dataclass
class Keys:
    """How many of many values equal an earlier one.

    Where there are too many to keep, only those with small hashes are, which are all copies of a random part of the
    values; the number is then an estimate.

    Reference: Gibbons (2001), Distinct sampling for highly-accurate answers to distinct values queries, VLDB.
    """

    below: float = CODES
    _held: list[Values] = field(default_factory=list)
    _count: int = 0

    def see(self, hashes: Values) -> None:
        """Add values by their hashes (see `hashed`)."""
        kept = hashes[hashes < self.below]
        self._held.append(kept)
        self._count += len(kept)
        while self._count > MOST_KEYS:
            self.below /= 2
            self._held = [each[each < self.below] for each in self._held]
            self._count = sum(map(len, self._held))

    def repeated(self) -> float:
        """Return how many values equal an earlier one."""
        held = np.concatenate(self._held) if self._held else np.zeros(0)
        return (len(held) - len(np.unique(held))) * CODES / self.below


@dataclass
class Tally:
    """The counts of all columns.

    Parameters
    ----------
    schema : Schema
        How cells are read.
    columns : tuple of Column
        Those that are counted; one that cannot be read as its kind is left out once that is seen.
    """

    schema: Schema
    columns: tuple[Column, ...]
    counts: dict[str, Counts] = field(default_factory=dict, init=False)
    _failed: set[str] = field(default_factory=set, init=False)

    def see(self, table: ParsedTable) -> None:
        """Count the cells of some rows."""
        for column in self.columns:
            if column.name in self._failed:
                continue
            counts = self.counts.setdefault(column.name, Counts())
            quick = _plain_numbers(table, column, self.schema)
            if quick is not None:
                counts.missing += quick
                continue
            try:
                counts.see(column, read(table, column, self.schema.reading))
            except SchemaError:
                self._failed.add(column.name)
                del self.counts[column.name]


def _plain_numbers(table: ParsedTable, column: Column, schema: Schema) -> int | None:
    """Return how many cells of a column of numbers are missing, where all others are plain numbers; None if unknown.

    Only a count is needed of them, and Arrow reads plain numbers many times as fast.
    """
    cells = table.cells(column.name)
    said = schema.missing or schema.keep or schema.infinite != "error"
    if said or column.kind not in MEASURED - {"datetime"} or not is_string(cells.array.type):
        return None
    try:
        numbers = cells.array.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    values: NDArray[np.float64] = numbers.to_numpy(zero_copy_only=False)
    if column.numbers.comma or not np.isfinite(values[pc.is_valid(numbers).to_numpy(zero_copy_only=False)]).all():
        return None
    return int(numbers.null_count)
