"""Functional dependencies with exceptions: one column, or two together, decide another; or two decide each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.rules import acceptance
from anomalo.rules.acceptance import SHARE, SUPPORT, accepted
from anomalo.rules.cells import MISSING, Codes, Levels, Mask, Writer, listed, plain
from anomalo.rules.functional_dependencies import Decisions, independent, nearly
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns

MOST_SOURCE, MOST_TARGET, MOST_NUMBERS = 5000, 200, 30
"""The most levels of a column that decides, of one that is decided, and of a number among either."""
MOST_COLUMNS = 300
"""So many columns are tried, those with the rarest most frequent level."""
FEW, CHANCE = 20, 0.05
"""One of more levels than so many may decide a column that chance alone would leave as it is but for this share."""
USUAL = 0.95
"""A column with a level more frequent than this is not decided: chance alone would leave it as it is."""
PAIRED, PAIRED_LEVELS = 12, 20
"""Pairs of columns are tried among so many columns with at most so many levels."""
PAIRED_SHARE = 0.005
"""The largest share of exceptions to a pair."""
NOTHING = -1
"""Stands for the decided level where there is none."""


@dataclass(frozen=True, kw_only=True)
class Dependency(Rule):
    """A column whose level is decided by that of another, or by those of two.

    Attributes
    ----------
    sources : tuple of Levels
        The levels of the columns that decide.
    levels : Levels
        Those of the target.
    decided : tuple of int
        For each level of the source, or combination in the order of the levels, the index of the target's;
        `NOTHING` where training rows do not say.
    both : bool
        Whether the target decides the source as well: one is another name of the other.
    """

    sort: ClassVar[str] = "dependency"
    sources: tuple[Levels, ...]
    levels: Levels
    decided: tuple[int, ...] = ()
    both: bool = False

    @property
    def kind(self) -> str:
        """Equality of two columns under other names, or a dependency."""
        return "equality" if self.both else "dependency"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target and the columns that decide."""
        return self.target, *(source.name for source in self.sources)

    @property
    def one_way(self) -> bool:
        """Whether only one decides the other."""
        return not self.both

    @property
    def text(self) -> str:
        """In words."""
        if self.both:
            return f"{self.sources[0].name} and {self.target} decide each other"
        return f"{self._deciding} {self.target}"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows whose target is observed, and decided by what training rows had."""
        return np.asarray((self._expected(columns) != NOTHING) & (self.levels.codes(columns) != MISSING))

    def broken(self, columns: Columns) -> Mask:
        """Return the rows with another level than the decided one, be it a new one."""
        code, expected = self.levels.codes(columns), self._expected(columns)
        return np.asarray((expected != NOTHING) & (code != MISSING) & (code != expected))

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the decided level, and what decides."""
        names = [*self.levels.written(write), "another"]
        return [f"{names[at]} (as {self._deciding})" for at in self._expected(columns)]

    def expected_of(self, name: str, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the decided level and what decides; of a column that another level may decide, the rule."""
        if not self.both or name == self.target:
            return super().expected_of(name, columns, write)
        return self._reversed.expected(columns, write)

    @property
    def _reversed(self) -> Dependency:
        """The rule with the source as the target, of two columns that decide each other."""
        (source,) = self.sources
        sources = {target: at for at, target in reversed(list(enumerate(self.decided)))}
        decided = tuple(sources.get(at, NOTHING) for at in range(len(self.levels.values)))
        return replace(self, target=source.name, sources=(self.levels,), levels=source, decided=decided)

    def refit(self, columns: Columns) -> Self:
        """Return the rule with what all rows decide."""
        sources, target = [source.codes(columns) for source in self.sources], self.levels.codes(columns)
        table = Decisions.of(self._joint(sources), target, self._size, len(self.levels.values))
        rule = replace(self, decided=tuple(np.where(table.decided, table.usual, NOTHING).tolist()))
        repeated = super(Dependency, rule).refit(columns).repeated
        return replace(rule, support=table.support, exceptions=table.exceptions, repeated=repeated)

    @classmethod
    def from_fields(cls, **fields: Any) -> Self:
        """Rebuild a rule from the fields of `to_json`, lists as tuples."""
        sources, levels = tuple(map(Levels.from_json, fields["sources"])), Levels.from_json(fields["levels"])
        return cls(**{**fields, "sources": sources, "levels": levels})

    @property
    def _deciding(self) -> str:
        names = [source.name for source in self.sources]
        return f"{listed(names)} {'decides' if len(names) == 1 else 'decide'}"

    @property
    def _size(self) -> int:
        return int(np.prod([len(source.values) for source in self.sources]))

    @cached_property
    def _table(self) -> NDArray[np.int64]:
        return np.array([*self.decided, NOTHING], dtype=np.int64)

    def _expected(self, columns: Columns) -> Codes:
        return self._table[self._joint([source.codes(columns) for source in self.sources])]

    def _joint(self, sources: Sequence[Codes]) -> Codes:
        """Return the number of each row's combination of levels; -1 where one of them is not known."""
        joint = np.zeros(len(sources[0]), dtype=np.int64)
        for source, codes in zip(self.sources, sources, strict=True):
            joint = np.where((joint < 0) | (codes < 0), -1, joint * len(source.values) + codes)
        return joint


@dataclass(frozen=True)
class _Discrete:
    """The columns of a sample that have few values: their levels, and codes int32 [n, columns]."""

    levels: list[Levels]
    codes: NDArray[np.int32]
    targets: NDArray[np.intp]

    @classmethod
    def of(cls, part: Columns, names: Sequence[str], numeric: Sequence[str]) -> _Discrete:
        most = {name: MOST_NUMBERS if name in numeric else MOST_SOURCE for name in names}
        found = [levels for name in names if (levels := Levels.of(part, name, most[name])) is not None]
        found = [levels for levels in found if len(levels.values) <= part.rows - SUPPORT]
        codes = np.stack([levels.codes(part) for levels in found], axis=1) if found else np.zeros((part.rows, 0))
        usual = [np.bincount(column[column >= 0]).max() / max((column >= 0).sum(), 1) for column in codes.T.astype(int)]
        first = np.sort(np.argsort(usual, kind="stable")[:MOST_COLUMNS])
        few = [len(levels.values) <= MOST_TARGET for levels in found]
        targets = [at for at, column in enumerate(first) if few[column] and usual[column] <= USUAL]
        return cls([found[at] for at in first], codes[:, first].astype(np.int32), np.array(targets, dtype=np.intp))


def dependencies(
    part: Columns, names: Sequence[str], numeric: Sequence[str]
) -> tuple[list[Dependency], list[Dependency]]:
    """Return the dependencies of a sample on one column, none of which follows from others, and those on two.

    Parameters
    ----------
    part : Columns [n]
        Rows in random order.
    names : sequence of str
        Categories and numbers.
    numeric : sequence of str
        Those of them that are numbers.
    """
    discrete = _Discrete.of(part, names, numeric)
    found = np.zeros((len(discrete.levels), len(discrete.levels)), dtype=np.bool_)
    for source, target in nearly(discrete.codes, discrete.targets):
        found[source, target] = _decides(discrete, (source,), target) is not None
    rules = [
        _rule(discrete, (source,), target, both=bool(found[target, source])) for source, target in independent(found)
    ]
    return rules, list(_pairs(discrete, found))


def _decides(discrete: _Discrete, sources: tuple[int, ...], target: int) -> Decisions | None:
    """Return the table of a target by its sources, if it is a rule."""
    source, size = discrete.codes[:, sources[0]].astype(np.int64), len(discrete.levels[sources[0]].values)
    for other in sources[1:]:
        codes, more = discrete.codes[:, other], len(discrete.levels[other].values)
        source, size = np.where((source < 0) | (codes < 0), -1, source * more + codes), size * more
    target_codes, levels = discrete.codes[:, target].astype(np.int64), len(discrete.levels[target].values)
    table = Decisions.of(source, target_codes, size, levels)
    share = SHARE if len(sources) == 1 else PAIRED_SHARE
    if table.support < SUPPORT or table.exceptions > share * table.support:
        return None
    there = (source >= 0) & (target_codes >= 0)
    source, target_codes = source[there], target_codes[there]
    random = Decisions.of(source, np.roll(target_codes, len(target_codes) // 2), size, levels)
    chance = random.exceptions / max(random.support, 1)
    least = CHANCE if len(sources) == 1 and size > FEW else acceptance.CHANCE
    return table if accepted(table.support, table.exceptions, chance, least) else None


def _rule(discrete: _Discrete, sources: tuple[int, ...], target: int, both: bool = False) -> Dependency:
    levels = discrete.levels[target]
    return Dependency(
        target=levels.name, sources=tuple(discrete.levels[at] for at in sources), levels=levels, both=both
    )


def _pairs(discrete: _Discrete, found: Mask) -> Iterator[Dependency]:
    """Yield the targets that two columns decide together, and neither of them does; the best pair for each."""
    few = [at for at, levels in enumerate(discrete.levels) if len(levels.values) <= PAIRED_LEVELS]
    if len(few) > PAIRED:
        return
    for target in np.intersect1d(discrete.targets, few):
        if found[:, target].any():
            continue
        best: tuple[int, tuple[int, int]] | None = None
        for pair in combinations([at for at in few if at != target and not found[target, at]], 2):
            table = None if found[pair] or found[pair[::-1]] else _decides(discrete, pair, int(target))
            if table is not None and (best is None or table.exceptions < best[0]):
                best = table.exceptions, pair
        if best is not None:
            yield _rule(discrete, best[1], int(target))
