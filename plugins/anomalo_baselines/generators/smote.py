"""The generator `smote`: rows between neighbouring training rows, which are close to copies."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Model, Run, param
from anomalo_baselines.generators.condition_matching import matching_rows
from anomalo_baselines.neighbour_search import NeighbourSearch
from anomalo_baselines.subsample import subsample


@dataclass(kw_only=True)
class Smote(Model):
    """Numbers between a training row's and those of one of its neighbours, categories by the neighbours' vote.

    Missing values are those of the training row. Given cells are put into rows between training rows that match them
    best: given a class, between rows of this class. The baseline for augmentation.

    Reference: Chawla, Bowyer, Hall and Kegelmeyer (2002), SMOTE: synthetic minority over-sampling technique, Journal of
    Artificial Intelligence Research 16 (section 6.1, SMOTE-NC, for categories).

    Examples
    --------
    >>> Smote(neighbours=3).params()
    {'neighbours': 3, 'reference': 50000}
    """

    name = "smote"

    neighbours: int = param(5, low=1, high=1_000, help="Nearest rows to interpolate towards, and to vote.")
    reference: int = param(50_000, low=1, high=10_000_000, help="How many training rows to keep, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training rows, or a random sample of them."""
        data = subsample(data, self.reference, run)
        self.values_, self.observed_ = data.values.copy(), data.observed.copy()
        return self

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return rows between training rows, those that match the given cells best, with these put into them."""
        training = Encoded(self.values_, self.observed_, given.layout)
        dense = training.dense().matrix
        values, observed = np.empty_like(given.values), np.empty_like(given.observed)
        for rows, matches in matching_rows(given, self.values_, self.observed_, self.neighbours + 1):
            base = run.rng.integers(0, len(matches), len(rows))
            near = matches[_neighbours(dense[matches], base, self.neighbours)]
            values[rows] = self._between(training, matches[base], near, run.rng)
            observed[rows] = self.observed_[matches[base]]
        return Encoded(np.where(given.observed, given.values, values), given.observed | observed, given.layout)

    def _between(
        self, training: Encoded, base: NDArray[np.intp], near: NDArray[np.intp], rng: np.random.Generator
    ) -> Floats:
        """Return rows between the base rows [n] and their neighbours [n, k]."""
        values = training.values[base]
        towards = near[np.arange(len(near)), rng.integers(0, near.shape[1], len(near))]
        share = rng.random((len(base), 1), dtype=np.float32)
        at = training.layout.numbers
        both = training.observed[np.ix_(base, at)] & training.observed[np.ix_(towards, at)]
        values[:, at] += np.where(both, share * (training.values[np.ix_(towards, at)] - values[:, at]), np.float32(0))
        for position in training.layout.categories:
            values[:, position] = _vote(training.values[near, position], values[:, position])
        return np.where(training.observed[base], values, np.float32(0))


def _neighbours(dense: Floats, base: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return the rows nearest to the base rows, themselves left out, [n, k]; the row itself if there is no other."""
    if len(dense) == 1:
        return np.zeros((len(base), 1), dtype=np.intp)
    distinct, which = np.unique(base, return_inverse=True)
    near = NeighbourSearch(dense, min(count + 1, len(dense))).nearest(dense[distinct])[1]
    # Of rows with more equals than that, the row itself may not be among them: then the last one is left out.
    itself = near == distinct[:, None]
    itself[~itself.any(axis=1), -1] = True
    nearest: NDArray[np.intp] = near[~itself].reshape(len(distinct), -1)[which]
    return nearest


def _vote(codes: Floats, base: Floats) -> Floats:
    """Return the most frequent known level among neighbours [n, k]; that of the base row if no other is as frequent."""
    votes = np.concatenate([base[:, None], codes], axis=1)
    # Missing values do not vote, and the base row's level breaks ties.
    counts = ((votes[:, :, None] == votes[:, None, :]).sum(axis=1) + 0.5 * (votes == base[:, None])) * (votes > 0)
    return np.asarray(votes[np.arange(len(votes)), counts.argmax(axis=1)])
