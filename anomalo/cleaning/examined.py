"""A table with the evidence about its cells and what is suspected of them: computed once, for asking and learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.features import Characters, ColumnEvidence, evidence, trigrams
from anomalo.cleaning.suspects import Suspects, suspects


@dataclass(frozen=True)
class Examined:
    """A table, the evidence about its cells, and what is suspected of them without labels.

    Attributes
    ----------
    table : CodedTable
        The cells.
    evidence : list of ColumnEvidence
        Of each column.
    features : list of float32 array [n, features]
        Of each column's cells, in the order of `features.NAMES`.
    suspects : Suspects
        By the evidence alone.
    """

    table: CodedTable
    evidence: list[ColumnEvidence]
    features: list[NDArray[np.float32]]
    suspects: Suspects

    @classmethod
    def of(cls, table: CodedTable, characters: Characters = trigrams) -> Examined:
        """Return a table with its evidence; of no rows, without any."""
        found = list(evidence(table, characters))
        features = [one.features() for one in found]
        return cls(table, found, features, suspects(table, zip(found, features, strict=True)))
