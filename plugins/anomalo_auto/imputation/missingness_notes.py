"""What there is to warn of in a table's holes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Floats, Layout
from anomalo_auto.imputation.target_column import Target

USELESS = 0.98
"""With this share of the error of the mean or mode, a prediction is no better than they are."""
FEWEST = 30
"""Holes of a column that it takes to compare them with its observed cells."""
APART = 0.1
"""How far from 1/2 the chance must lie that a hole is expected to be higher than an observed cell."""
SIGMAS = 4.0
NAMED = 5


@dataclass
class Holes:
    """Compares what is expected of a column's holes with what is expected of its observed cells.

    If cells are missing completely at random, both are alike. That they differ does not say whether other columns
    decide what is missing (which the predictors know, and make up for) or the missing value itself (which nobody sees).

    Reference: Little (1988), A test of missing completely at random, JASA 83; Mann and Whitney (1947), On a test of
    whether one of two random variables is stochastically larger than the other, Annals of Mathematical Statistics 18.
    """

    _told: list[str] = field(default_factory=list)

    def see(self, target: Target, observed: Floats, holes: Floats) -> None:
        """Compare predictions of a column's observed cells, [m, size], and of its holes, [k, size]."""
        if min(len(observed), len(holes)) < FEWEST:
            return
        level = 0 if target.number else int(np.bincount(target.levels).argmax())
        higher = _higher(holes[:, level], observed[:, level])
        deviation = np.sqrt((len(holes) + len(observed) + 1) / (12 * len(holes) * len(observed)))
        if abs(higher - 0.5) > max(APART, SIGMAS * deviation):
            what = _side(target, level, higher > 0.5)
            self._told.append(f"{target.block.name!r} (where {what} are expected)")

    def notes(self) -> list[str]:
        """Return at most one sentence."""
        if not self._told:
            return []
        return [
            f"holes do not look missing at random in {_listed(self._told)}: if the missing value itself decides that "
            "it is missing, fills are biased towards what is observed, and their error is larger than told"
        ]


def beyond_reach(layout: Layout, error: NDArray[np.float64], baseline: NDArray[np.float64]) -> list[str]:
    """Return at most one sentence on columns with holes that nothing predicts."""
    names = [
        repr(block.name)
        for block in layout.blocks
        if block.missing > 0
        and baseline[block.position] > 0
        and error[block.position] > USELESS * baseline[block.position]
    ]
    return [f"nothing predicts {_listed(names)} better than the mean or most frequent value"] if names else []


def _side(target: Target, level: int, higher: bool) -> str:
    """Say what is expected more often of the holes; all rare levels share the last code."""
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
