"""What a rule is: the columns it is about, how often training rows kept and broke it, and what it expects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from anomalo.rules.cells import Mask, Numbers, Writer, keys, plain, take
from anomalo.tabular.columns import Columns

HABIT = 10
"""What so many other rows do in the same way is no exception but a habit, which models see as well."""


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """A rule between columns.

    Attributes
    ----------
    target : str
        The column whose cell is reported where the rule is broken.
    support : int
        Training rows that could have broken it.
    exceptions : int
        Those of them that did.
    repeated : float
        How many other training rows broke it in the same way as one that did, on average.
    """

    sort: ClassVar[str]
    """The name of the class in JSON."""
    target: str
    support: int = 0
    exceptions: int = 0
    repeated: float = 0.0

    @property
    @abstractmethod
    def kind(self) -> str:
        """What sort of rule it is: sum, product, equality, order, dependency, interval, constant or missing."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """All columns that it is about, the target first."""

    @property
    def suspects(self) -> tuple[str, ...]:
        """The columns one of which is wrong where it is broken."""
        return self.columns

    @property
    def one_way(self) -> bool:
        """Whether it says what the target should be, but not what another of its columns should be."""
        return True

    @property
    @abstractmethod
    def text(self) -> str:
        """The rule in words."""

    @abstractmethod
    def applies(self, columns: Columns) -> Mask:
        """Return the rows that could break it, bool [n]: those in which the cells it needs are observed."""

    @abstractmethod
    def broken(self, columns: Columns) -> Mask:
        """Return the rows that break it, bool [n]; each is one that it applies to."""

    @abstractmethod
    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return what the target's cells should be, and why, as texts [n]; read them only of rows that break it.

        Parameters
        ----------
        columns : Columns [n]
            A batch.
        write : callable
            Writes numbers of a column as it writes its cells.
        """

    def exact(self, columns: Columns) -> Numbers:
        """Return the number that the target should be, float64 [n]; nan where it is no number or not known exactly."""
        return np.full(columns.rows, np.nan)

    def expected_of(self, name: str, columns: Columns, write: Writer = plain) -> list[str]:
        """Return what the cells of one of its columns should be, given the others; see `expected`."""
        return self.expected(columns, write) if name == self.target else [f"another ({self.text})"] * columns.rows

    def exact_of(self, name: str, columns: Columns) -> Numbers:
        """Return the number that the cells of one of its columns should be, given the others; see `exact`."""
        return self.exact(columns) if name == self.target else np.full(columns.rows, np.nan)

    def refit(self, columns: Columns) -> Self:
        """Return the rule with its support and exceptions among all training rows."""
        support, broken = int(self.applies(columns).sum()), np.flatnonzero(self.broken(columns))
        repeated = len(broken) / self.ways(take(columns, broken)) - 1 if len(broken) else 0.0
        return replace(self, support=support, exceptions=len(broken), repeated=repeated)

    def ways(self, broken: Columns) -> int:
        """Return in how many ways rows, at least one, break the rule: how many combinations of cells they have."""
        return len(np.unique(keys(broken, self.columns)))

    @property
    def surprisal(self) -> float:
        """The surprisal of a row that breaks it, in nats: of an event seen r times beside the n rows that kept it.

        Its probability is the Krichevsky-Trofimov estimate, (r + 0.5) / (n + r + 1). What is broken in the same way
        again and again is no error; r is `repeated`, 0 where all exceptions differ. From `HABIT` on it is 0.
        """
        if self.repeated >= HABIT:
            return 0.0
        kept = self.support - self.exceptions
        return float(np.log((kept + self.repeated + 1) / (self.repeated + 0.5)))

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON-ready values."""
        return {"sort": self.sort, **asdict(self)}

    @classmethod
    def from_fields(cls, **fields: Any) -> Self:
        """Rebuild a rule from the fields of `to_json`, lists as tuples."""
        return cls(**fields)
