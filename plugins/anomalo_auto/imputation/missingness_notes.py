"""Warnings about a table's missing values: not missing at random, or not predictable from other columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Floats, Layout
from anomalo_auto.imputation.target_column import Target

USELESS = 0.98
"""A prediction whose error is above this share of that of the mean or mode counts as no better than they are."""
FEWEST = 30
"""The fewest missing values of a column that are compared with its observed cells."""
APART = 0.1
"""How far the chance that a missing value is predicted higher than an observed one lies from 1/2, at least."""
SIGMAS = 4.0
"""The same, in standard deviations of this chance."""
NAMED = 5
"""Columns that a warning names, at most."""


@dataclass
class MissingnessTest:
    """Compares predictions of a column's missing values with predictions of its observed cells.

    If cells are missing completely at random, both have the same distribution. A difference does not show whether
    missingness depends on other columns (which the predictors take into account) or on the missing value itself (which
    is not observable).

    Reference: Little (1988), A test of missing completely at random, JASA 83; Mann and Whitney (1947), On a test of
    whether one of two random variables is stochastically larger than the other, Annals of Mathematical Statistics 18.
    """

    _found: list[str] = field(default_factory=list)

    def compare(self, target: Target, observed: Floats, missing: Floats) -> None:
        """Compare predictions of a column's observed cells, [m, size], and of its missing ones, [k, size]."""
        if min(len(observed), len(missing)) < FEWEST:
            return
        level = 0 if target.number else int(np.bincount(target.levels).argmax())
        higher = _higher(missing[:, level], observed[:, level])
        deviation = np.sqrt((len(missing) + len(observed) + 1) / (12 * len(missing) * len(observed)))
        if abs(higher - 0.5) > max(APART, SIGMAS * deviation):
            what = _side(target, level, higher > 0.5)
            self._found.append(f"{target.block.name!r} (where {what} are expected)")

    def notes(self) -> list[str]:
        """Return at most one sentence."""
        if not self._found:
            return []
        return [
            f"values do not look missing at random in {_listed(self._found)}: if missingness depends on the missing "
            "value itself, imputed values are biased towards observed ones, and their error is larger than estimated"
        ]


def unpredictable_columns(layout: Layout, error: NDArray[np.float64], baseline: NDArray[np.float64]) -> list[str]:
    """Return at most one sentence on columns with missing values that no other column predicts."""
    names = [
        repr(block.name)
        for block in layout.blocks
        if block.missing > 0
        and baseline[block.position] > 0
        and error[block.position] > USELESS * baseline[block.position]
    ]
    return [f"nothing predicts {_listed(names)} better than the mean or most frequent value"] if names else []


def _side(target: Target, level: int, higher: bool) -> str:
    """Return what is predicted more often for missing values; all rare levels share the last code."""
    if target.number:
        return "high values" if higher else "low values"
    levels = target.block.levels
    return "rarer levels" if not higher or level >= len(levels) else repr(levels[level])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more columns" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _higher(some: Floats, others: Floats) -> float:
    """Return the chance that one of `some` is higher than one of `others`, ties half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([some, others]))[: len(some)]
    return float((ranks.sum() - len(some) * (len(some) + 1) / 2) / (len(some) * len(others)))
