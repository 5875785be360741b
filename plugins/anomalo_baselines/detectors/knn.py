"""The detector `knn`: the distance to the nearest training rows, high where there are few similar ones."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Cells, Encoded, Floats, Model, Run, Scores, param, relative
from anomalo_baselines.detectors.attribution import dense_parts, encoded_value
from anomalo_baselines.neighbour_search import NeighbourSearch
from anomalo_baselines.subsample import subsample


@dataclass(kw_only=True)
class NearestNeighbours(Model):
    """The mean Euclidean distance to the k nearest training rows.

    Numbers are compared in encoded units; two different levels of a category are 1 apart; a missing
    number counts as the centre, and as 1 for being missing. A training row that is scored again has
    itself as a neighbour at distance 0.

    Reference: Angiulli and Pizzuti (2002), Fast outlier detection in high dimensional spaces, PKDD (the
    sum of the distances); Ramaswamy, Rastogi and Shim (2000), SIGMOD (the largest).

    Examples
    --------
    >>> NearestNeighbours(neighbours=10).params()
    {'neighbours': 10, 'reference': 10000, 'explained_by': 5000}
    """

    name = "knn"
    score_unit = "mean distance"

    neighbours: int = param(5, low=1, high=10_000, help="How many of the nearest training rows to average over.")
    reference: int = param(10_000, low=1, high=10_000_000, help="How many training rows to keep, at most.")
    explained_by: int = param(
        5_000, low=1, high=10_000_000, help="How many of these rows reasons come from, at most, evenly spaced."
    )

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training rows, or a random sample of them."""
        data = subsample(data, self.reference, run)
        self.reference_ = data.dense().matrix
        return self

    def score(self, data: Encoded) -> Scores:
        """Return mean distances, float64 [n]."""
        search = NeighbourSearch(self.reference_, min(self.neighbours, len(self.reference_)))
        mean: Scores = search.nearest(data.dense().matrix)[0].mean(axis=1)
        return mean

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's share of the score, and its mean or most frequent value among the nearest rows without it.

        For each column the nearest rows are found in the others alone. The score falls when the cell is replaced by
        its mean among those of them that observe it; it is divided in proportion to these drops. Both are estimated
        from at most `explained_by` of the training rows.
        """
        dense, blocks = data.dense(), data.layout.blocks
        count = min(len(self.reference_), self.explained_by)
        reference, where = self.reference_[np.arange(count) * len(self.reference_) // count], dense_parts(data, dense)
        search = NeighbourSearch(reference, min(self.neighbours, count))
        distance = search.nearest(dense.matrix)[0].mean(axis=1)
        drops, expected = np.empty(data.values.shape), np.empty_like(data.values)

        def fill(column: int, numbers: NDArray[np.intp]) -> Scores:
            return _mean(reference[:, where[column]][numbers], blocks[column].missing > 0)

        for rows, column, mean, distances in search.nearest_replaced(dense.matrix, where, fill):
            position = blocks[column].position
            drops[rows, position] = distance[rows] - distances.mean(axis=1)
            expected[rows, position] = encoded_value(blocks[column], mean)
        return Cells(self.score(data)[:, None] * relative(drops), expected)


def _mean(cells: Floats, flagged: bool) -> Scores:
    """Return the mean of neighbours' cells [n, neighbours, width] over those that are not missing; 0 if all are."""
    observed = cells[:, :, -1] == 0 if flagged else np.ones(cells.shape[:2], dtype=bool)
    total: Scores = (cells * observed[:, :, None]).sum(axis=1, dtype=np.float64)
    total /= np.maximum(observed.sum(axis=1), 1)[:, None]
    return total
