"""Distance to the nearest training rows: a row is strange where there are few like it."""

from dataclasses import dataclass
from typing import Self

from anomalo.plugin import Encoded, Model, Run, Scores, param
from anomalo_baselines.search import Search, at_most


@dataclass(kw_only=True)
class NearestNeighbours(Model):
    """The mean Euclidean distance to the k nearest training rows.

    Numbers are compared in encoded units; two different levels of a category are 1 apart; a missing
    number counts as the centre, and as 1 for being missing. A training row that is scored again finds
    itself at distance 0.

    Reference: Angiulli and Pizzuti (2002), Fast outlier detection in high dimensional spaces, PKDD (the
    sum of the distances); Ramaswamy, Rastogi and Shim (2000), SIGMOD (the largest).

    Examples
    --------
    >>> NearestNeighbours(neighbours=10).params()
    {'neighbours': 10, 'reference': 50000}
    """

    name = "knn"

    neighbours: int = param(5, low=1, high=10_000, help="How many of the nearest training rows to average over.")
    reference: int = param(50_000, low=1, high=10_000_000, help="How many training rows to keep, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training rows, or a random sample of them."""
        data = at_most(data, self.reference, run)
        self.reference_ = data.dense().matrix
        return self

    def score(self, data: Encoded) -> Scores:
        """Return mean distances, float64 [n]."""
        search = Search(self.reference_, min(self.neighbours, len(self.reference_)))
        mean: Scores = search.nearest(data.dense().matrix)[0].mean(axis=1)
        return mean
