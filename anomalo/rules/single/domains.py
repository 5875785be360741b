"""Domains: a category has one of the levels that occur more than once; another one is an error, such as a misprint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.errors import closest
from anomalo.rules.acceptance import SUPPORT
from anomalo.rules.cells import MISSING, UNKNOWN, Levels, Mask, Writer, plain
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts

MOST_LEVELS = 50
"""A category has at most so many levels."""
SINGLE = 0.005
"""The largest share of rows whose level no other row has: what is left of the levels that have not been seen."""
EACH = 10
"""Rows for each level, on average."""
ALIKE = 0.7
"""The least similarity of a misprint and what it should be."""
NAMED = 4
"""So many levels are named."""


@dataclass(frozen=True, kw_only=True)
class Domain(Rule):
    """A category that has one of some levels.

    The share of rows whose level no other row has estimates how probable a level is that was not seen (Good 1953, The
    population frequencies of species and the estimation of population parameters, Biometrika 40). Where it is small,
    such a level is as anomalous as one that training rows did not have.

    Attributes
    ----------
    levels : Levels
        Those that occur more than once.
    """

    sort: ClassVar[str] = "domain"
    levels: Levels

    @property
    def kind(self) -> str:
        """A domain."""
        return "domain"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target alone."""
        return (self.target,)

    @property
    def text(self) -> str:
        """In words."""
        names = self.levels.values
        return f"{self.target} is {' or '.join(names) if len(names) <= NAMED else f'one of {len(names)} levels'}"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows in which it is observed."""
        return np.asarray(self.levels.codes(columns) != MISSING)

    def broken(self, columns: Columns) -> Mask:
        """Return the rows with another level."""
        return np.asarray(self.levels.codes(columns) == UNKNOWN)

    def ways(self, broken: Columns) -> int:
        """Return the number of rows: all of their levels differ."""
        return broken.rows

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the level that is spelt alike, or all of them if they are few."""
        values = columns.values[self.target]
        assert isinstance(values, Texts)
        names = list(self.levels.values)
        rest = " or ".join(names) if len(names) <= NAMED else f"one of {len(names)} levels"
        alike = [next(iter(closest(text or "", names, cutoff=ALIKE)), rest) for text in values.distinct.to_pylist()]
        return [alike[at] if at >= 0 else rest for at in values.index.tolist()]

    @classmethod
    def from_fields(cls, **fields: Any) -> Self:
        """Rebuild a rule from the fields of `to_json`, lists as tuples."""
        return cls(**{**fields, "levels": Levels.from_json(fields["levels"])})


def domains(part: Columns, names: Sequence[str]) -> Iterator[Domain]:
    """Yield the categories nearly all of whose rows have a level that another row has, too."""
    for name in names:
        values = part.values[name]
        assert isinstance(values, Texts)
        counts = pc.value_counts(values.expand().drop_null())
        often = counts.field("counts").to_numpy(zero_copy_only=False)
        levels = counts.field("values").filter(pa.array(often > 1)).to_pylist()
        enough = often.sum() >= max(SUPPORT, EACH * len(often))
        if enough and 1 <= len(levels) <= MOST_LEVELS and (often == 1).sum() <= max(1, SINGLE * often.sum()):
            yield Domain(target=name, levels=Levels(name, tuple(sorted(levels))))
