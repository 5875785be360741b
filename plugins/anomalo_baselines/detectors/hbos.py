"""The detector `hbos`: the histogram of each column by itself, high where values are rare in many columns."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Run, Scores, param
from anomalo_baselines.detectors.marginal_detector import MarginalDetector

DISTINCT = 30
"""A number with at most so many distinct values has one bin for each."""
FAR = 50.0
"""Beyond the bins a surprisal grows with the distance, in the column's scale, up to this."""


@dataclass(kw_only=True)
class Histograms(MarginalDetector):
    """-log of the density of each number in a histogram of its column, added over the columns.

    The bins hold equally many training rows; a number with few distinct values has a bin for each. The density is
    relative to that of a bin of median width. Outside the bins, and in empty ones, it is that of half a row, and falls
    off with the distance.

    Reference: Goldstein and Dengel (2012), Histogram-based outlier score (HBOS), KI (poster), with dynamic widths.

    Examples
    --------
    >>> Histograms(bins=10).params()
    {'bins': 10}
    """

    name = "hbos"

    bins: int = param(20, low=2, high=1000, help="Bins of each number, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Make the histograms."""
        super().fit(data, run)
        count = len(data.layout.blocks)
        self.discrete_ = np.zeros(count, dtype=np.bool_)
        sizes = np.zeros(count, dtype=np.int64)
        knots: list[Scores] = [np.zeros(0)]
        surprisal: list[Scores] = [np.zeros(0)]
        self.rare_ = np.zeros(count)
        for at in data.layout.numbers:
            values = data.values[data.observed[:, at], at].astype(np.float64)
            distinct, counts = np.unique(values, return_counts=True)
            self.discrete_[at] = len(distinct) <= DISTINCT
            self.rare_[at] = -np.log(0.5 / max(len(values), 1))
            found = (distinct, -np.log(counts / max(len(values), 1)))
            if not self.discrete_[at]:
                found = _histogram(values, self.bins, self.rare_[at])
            knots.append(found[0])
            surprisal.append(found[1])
            sizes[at] = len(found[0])
        self.knots_, self.surprisal_ = np.concatenate(knots), np.concatenate(surprisal)
        self.ends_ = np.cumsum(sizes)
        self.starts_ = self.ends_ - sizes
        return self

    def surprisals(self, data: Encoded) -> Scores:
        """Return each cell's surprisal in nats, float64 [n, columns]."""
        found, seen = self.fixed_surprisals(data)
        for at in data.layout.numbers:
            part = slice(self.starts_[at], self.ends_[at])
            values = data.values[seen[:, at], at].astype(np.float64)
            look = _of_values if self.discrete_[at] else _of_bins
            found[seen[:, at], at] += look(values, self.knots_[part], self.surprisal_[part], float(self.rare_[at]))
        return found


def _histogram(values: Scores, bins: int, rare: float) -> tuple[Scores, Scores]:
    """Return the edges [bins + 1] and the surprisal from each on, of which the last is not used."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    width = np.diff(edges)
    density = np.histogram(values, edges)[0] / len(values) * np.median(width) / width
    with np.errstate(divide="ignore"):
        surprisal = np.minimum(-np.log(density), rare)
    return edges, np.append(surprisal, rare)


def _of_values(values: Scores, known: Scores, surprisal: Scores, rare: float) -> NDArray[np.float64]:
    """Return the surprisals of numbers with few distinct values."""
    if not len(known):
        return np.zeros(len(values))
    at = np.searchsorted(known, values).clip(max=len(known) - 1)
    return np.where(known[at] == values, surprisal[at], rare + _beyond(values, known))


def _of_bins(values: Scores, edges: Scores, surprisal: Scores, rare: float) -> NDArray[np.float64]:
    """Return the surprisals of numbers by the bin that each is in."""
    at = (np.searchsorted(edges, values, side="right") - 1).clip(0, len(edges) - 2)
    beyond = _beyond(values, edges)
    return np.where(beyond > 0, rare + beyond, surprisal[at])


def _beyond(values: Scores, knots: Scores) -> Scores:
    """Return how far values lie outside the knots, in the column's scale, up to `FAR`."""
    return np.asarray(np.clip(np.maximum(knots[0] - values, values - knots[-1]), 0, FAR))
