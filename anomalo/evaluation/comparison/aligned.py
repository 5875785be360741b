"""The samples of two tables as one matrix: the columns of both that can be compared, and why others cannot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anomalo.evaluation.comparison.profile import ColumnProfile, Profile, Values
from anomalo.tabular.parsing import Mask

MOST_COPIES = 20
"""Equal rows that are more than these are no copies: they recur by themselves."""
KEYED = 0.9
"""The least share of different rows that have values of their own in some column, where equal rows are copies."""
NEAR_UNIQUE = 0.99
"""Whole numbers of which this share is distinct may count rows."""
SORTED = 0.95
"""Moments whose rank correlation with the rows' order is above this are when the rows came."""


@dataclass(frozen=True)
class AlignedColumn:
    """A column of both tables.

    Attributes
    ----------
    before, after : ColumnProfile
        In the reference, and now.
    levels : tuple of str
        Those that its values count, of both tables, most frequent first; none for numbers and lengths.
    left_out : str
        Why only its missing cells are compared.
    """

    before: ColumnProfile
    after: ColumnProfile
    levels: tuple[str, ...] = ()
    left_out: str = ""

    @property
    def name(self) -> str:
        """Its name."""
        return self.after.name


@dataclass(frozen=True)
class Aligned:
    """The samples of two tables side by side.

    Attributes
    ----------
    columns : tuple of AlignedColumn
        Those of both tables.
    values : float64 [n, columns]
        The rows of the reference, then those of now; nan where a cell is missing.
    now : bool [n]
        Which rows are of now.
    rows : tuple of two int
        How many rows the tables have.
    copies : tuple of two int
        Rows of each sample that were left out because they equal an earlier one.
    """

    columns: tuple[AlignedColumn, ...]
    values: Values
    now: Mask
    rows: tuple[int, int]
    copies: tuple[int, int] = (0, 0)

    @cached_property
    def compared(self) -> NDArray[np.intp]:
        """The positions of the columns whose values are compared."""
        return np.array([at for at, column in enumerate(self.columns) if not column.left_out], dtype=np.intp)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many rows there are of each table."""
        return int((~self.now).sum()), int(self.now.sum())


def aligned(reference: Profile, current: Profile) -> Aligned:
    """Align the samples of two profiles by the names of their columns.

    Columns that cannot be compared (see `incomparable`) are not in the result. Rows that equal an earlier row of the
    same table are left out where rows hardly recur, so that copies do not count as further rows.
    """
    pairs = [(before, after) for before, after in common(reference, current) if not incomparable(before, after)]
    columns, parts = [], []
    for before, after in pairs:
        column, values = _column(before, after)
        columns.append(column)
        parts.append(values)
    sizes = reference.sampled, current.sampled
    values = np.stack(parts, axis=1) if parts else np.zeros((sum(sizes), 0))
    now = np.repeat([False, True], sizes)
    kept = np.concatenate([_first_of_copies(values[now == side]) for side in (False, True)])
    dropped = int((~kept & ~now).sum()), int((~kept & now).sum())
    return Aligned(tuple(columns), values[kept], now[kept], (reference.rows, current.rows), dropped)


def common(reference: Profile, current: Profile) -> list[tuple[ColumnProfile, ColumnProfile]]:
    """Return the columns that are in both tables, in the reference's order."""
    there = {column.name: column for column in current.columns}
    return [(column, there[column.name]) for column in reference.columns if column.name in there]


def incomparable(before: ColumnProfile, after: ColumnProfile) -> str:
    """Return why the values of a column cannot be compared; nothing if they can."""
    if before.problem or after.problem:
        return after.problem or before.problem
    return "" if before.family == after.family else f"it was of kind {before.kind}, and is of kind {after.kind}"


def _column(before: ColumnProfile, after: ColumnProfile) -> tuple[AlignedColumn, Values]:
    if before.family == "identifier":
        both = AlignedColumn(before, after, left_out="it names the row")
        return both, np.concatenate([before.values, after.values])
    if before.family != "level":
        both = AlignedColumn(before, after, left_out=_moves(before, after))
        return both, np.concatenate([before.values, after.values])
    count = dict.fromkeys((*before.levels, *after.levels), 0.0)
    for side in (before, after):
        for level, number in zip(side.levels, side.counts, strict=True):
            count[level] += number / max(side.counted, 1)
    levels = tuple(sorted(count, key=lambda level: (-count[level], level)))
    position = {level: at for at, level in enumerate(levels)}
    values = [_moved(side, position) for side in (before, after)]
    return AlignedColumn(before, after, levels), np.concatenate(values)


def _moved(side: ColumnProfile, position: dict[str, int]) -> Values:
    """Return codes as positions among the levels of both tables."""
    codes = np.array([*(position[level] for level in side.levels), len(position), np.nan], dtype=np.float64)
    return codes[np.where(np.isnan(side.values), len(side.levels) + 1, side.values).astype(np.intp)]


def _moves(before: ColumnProfile, after: ColumnProfile) -> str:
    """Return why a column of numbers differs from table to table by itself; nothing if it does not."""
    first, second = (side.values[~np.isnan(side.values)] for side in (before, after))
    if min(len(first), len(second)) < 3:
        return ""
    apart = first.max() < second.min() or second.max() < first.min()
    if before.kind == "datetime":
        if apart or any(abs(_order(values)) > SORTED for values in (first, second)):
            return "it says when a row came"
        return ""
    counts = apart and all(_counts_rows(values) for values in (first, second))
    return "it counts rows" if counts else ""


def _order(values: Values) -> float:
    """Return the rank correlation of values with their order; 0 if all are equal."""
    from scipy.stats import spearmanr

    return 0.0 if (values == values[0]).all() else float(spearmanr(np.arange(len(values)), values).statistic)


def _counts_rows(values: Values) -> bool:
    return bool((values == np.round(values)).all() and len(np.unique(values)) >= NEAR_UNIQUE * len(values))


def _first_of_copies(values: Values) -> Mask:
    """Return which rows equal no earlier one, or are not copies because rows recur by themselves.

    Equal rows are copies if there is a column of which nearly every different row has another value, as of measurements
    and keys, and they are few.
    """
    kept = np.ones(len(values), dtype=np.bool_)
    if not values.size:
        return kept
    bits = np.ascontiguousarray(np.where(np.isnan(values), np.inf, values)).view(f"V{8 * values.shape[1]}").ravel()
    _, first, group, counts = np.unique(bits, return_index=True, return_inverse=True, return_counts=True)
    if len(first) == len(values):
        return kept
    distinct = [len(np.unique(column)) for column in values[first].T]
    if sum(number > 1 for number in distinct) < 2 or max(distinct) < KEYED * len(first):
        return kept
    kept[:] = counts[group] > MOST_COPIES
    kept[first] = True
    return kept
