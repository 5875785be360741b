"""Missing cells that others explain: missing only where another is, or exactly where another has certain levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.rules.acceptance import SHARE, accepted
from anomalo.rules.cells import Codes, Levels, Mask, Writer, by_level, missing, plain
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns

MOST_LEVELS = 20
"""A column with more levels is not taken to decide where others are missing."""


@dataclass(frozen=True, kw_only=True)
class MissingWith(Rule):
    """A column that is missing only where another one is.

    Attributes
    ----------
    other : str
        The other column.
    both : bool
        Whether that is missing only where this one is, as well.
    """

    sort: ClassVar[str] = "missing_with"
    other: str
    both: bool = False

    @property
    def kind(self) -> str:
        """A rule on missing cells."""
        return "missing"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target and the other column."""
        return self.target, self.other

    @property
    def suspects(self) -> tuple[str, ...]:
        """The target alone: no model says how much a missing cell is to blame."""
        return (self.target,)

    @property
    def text(self) -> str:
        """In words."""
        if self.both:
            return f"{self.other} and {self.target} are missing together"
        return f"{self.target} is missing only where {self.other} is"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows in which the target is missing; if it holds both ways, either."""
        absent = missing(columns, self.target)
        return absent | missing(columns, self.other) if self.both else absent

    def broken(self, columns: Columns) -> Mask:
        """Return the rows in which the target alone is missing; if it holds both ways, one alone."""
        absent, other = missing(columns, self.target), missing(columns, self.other)
        return absent != other if self.both else absent & ~other

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return whether there should be a value, and why."""
        other = missing(columns, self.other).tolist()
        return [f"no value ({self.other} has none)" if none else f"a value ({self.other} has one)" for none in other]


@dataclass(frozen=True, kw_only=True)
class MissingWhere(Rule):
    """A column that is missing exactly where another has certain levels.

    Attributes
    ----------
    levels : Levels
        The other column's.
    absent : tuple of int
        Those with which the target is missing.
    """

    sort: ClassVar[str] = "missing_where"
    levels: Levels
    absent: tuple[int, ...]

    @property
    def kind(self) -> str:
        """A rule on missing cells."""
        return "missing"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target and the other column."""
        return self.target, self.levels.name

    @property
    def suspects(self) -> tuple[str, ...]:
        """The target alone: no model says how much a missing cell is to blame."""
        return (self.target,)

    @property
    def text(self) -> str:
        """In words."""
        names = self.levels.written(plain)
        which = [names[at] for at in self.absent]
        return f"{self.target} is missing exactly where {self.levels.name} is {' or '.join(which)}"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows in which the other column has a known level."""
        return self.levels.codes(columns) >= 0

    def broken(self, columns: Columns) -> Mask:
        """Return the rows that are missing with another level, or not missing with one of these."""
        code = self.levels.codes(columns)
        return np.asarray((code >= 0) & (np.isin(code, self.absent) != missing(columns, self.target)))

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return whether there should be a value, and why."""
        names, code = [*self.levels.written(write), ""], self.levels.codes(columns)
        return [
            f"{'no' if at in self.absent else 'a'} value ({self.levels.name} is {names[max(at, -1)]})"
            for at in code.tolist()
        ]

    @classmethod
    def from_fields(cls, **fields: Any) -> Self:
        """Rebuild a rule from the fields of `to_json`, lists as tuples."""
        return cls(**{**fields, "levels": Levels.from_json(fields["levels"])})


def absences(part: Columns, names: Sequence[str], categories: Sequence[str]) -> Iterator[MissingWith | MissingWhere]:
    """Yield the rules on missing cells: for each column the best on levels, or else one on another that is missing.

    Parameters
    ----------
    part : Columns [n]
        Rows in random order.
    names, categories : sequence of str
        All columns, and those whose levels may decide.
    """
    empty = {name: mask for name in names if 0 < (mask := missing(part, name)).sum() < part.rows}
    if not empty:
        return
    targets, masks = list(empty), np.stack(list(empty.values()), axis=1).astype(np.float32)
    best: dict[str, tuple[int, MissingWhere]] = {}
    for category in categories:
        levels = Levels.of(part, category, MOST_LEVELS)
        if levels is None:
            continue
        for at, absent, wrong in _absent(levels.codes(part), masks, len(levels.values)):
            name = targets[at]
            if name != category and (name not in best or wrong < best[name][0]):
                best[name] = wrong, MissingWhere(target=name, levels=levels, absent=absent)
    yield from (rule for _, rule in best.values())
    yield from _with(empty, set(best))


def _absent(codes: Codes, masks: NDArray[np.float32], levels: int) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """Yield the columns that are missing exactly with some levels, if that is a rule, the levels and the exceptions."""
    absent = by_level(codes, levels, masks)
    counts = np.bincount(codes[codes >= 0], minlength=levels)
    rows = max(int(counts.sum()), 1)
    with_level = 2 * absent > counts[:, None]
    wrong = np.where(with_level, counts[:, None] - absent, absent).sum(axis=0)
    share, missing_share = (counts[:, None] * with_level).sum(axis=0) / rows, absent.sum(axis=0) / rows
    chance = share * (1 - missing_share) + missing_share * (1 - share)
    for at in np.flatnonzero(wrong <= SHARE * rows).tolist():
        if accepted(rows, int(wrong[at]), float(chance[at])):
            yield at, tuple(np.flatnonzero(with_level[:, at]).tolist()), int(wrong[at])


def _with(empty: dict[str, Mask], explained: set[str]) -> Iterator[MissingWith]:
    """Yield for each column the one with fewest missing cells that is missing wherever it is."""
    names = [name for name in empty if name not in explained]
    if len(names) < 2:
        return
    masks = np.stack([empty[name] for name in names]).astype(np.float32)
    alone = (masks @ (1 - masks).T).astype(np.int64)
    only = _accepted(alone, masks.sum(axis=1).astype(np.int64), masks.shape[1])
    together = only & only.T
    for at, name in enumerate(names):
        if together[at, :at].any():
            yield MissingWith(target=name, other=names[int(together[at].argmax())], both=True)
        elif not together[at].any() and only[at].any():
            candidates = np.flatnonzero(only[at])
            nearest = candidates[np.argmin(masks[candidates].sum(axis=1))]
            yield MissingWith(target=name, other=names[nearest])


def _accepted(alone: NDArray[np.int64], absent: NDArray[np.int64], rows: int) -> NDArray[np.bool_]:
    """Return whether the first column is missing only where the second is, bool [k, k].

    The rows that could break it are those in which the first is missing, or the second is not: the fewer.

    Parameters
    ----------
    alone : int [k, k]
        Rows in which the first is missing and the second is not.
    absent : int [k]
        Rows in which each is missing.
    """
    found = np.zeros(alone.shape, dtype=np.bool_)
    for first, second in np.argwhere(alone <= 0.1 * absent[:, None]):
        support = min(absent[first], rows - absent[second])
        chance = absent[first] / rows * (rows - absent[second]) / max(support, 1)
        found[first, second] = first != second and accepted(int(support), int(alone[first, second]), float(chance))
    return found
