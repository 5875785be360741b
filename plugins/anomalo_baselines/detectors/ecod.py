"""The detector `ecod`: how far out in its column each number lies, by the empirical distribution."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Encoded, Floats, Run, Scores, param
from anomalo_baselines.detectors.marginal_detector import MarginalDetector, upper_tail
from anomalo_baselines.subsample import subsample


@dataclass(kw_only=True)
class EmpiricalTails(MarginalDetector):
    """The surprisals of the numbers' tails, added over the columns: of the left tails, of the right ones, or of those
    on the side to which each column is skewed, whichever is largest.

    The tail probability of a value is the share of training values that are at least as far out; beyond all of them it
    falls off exponentially, so that a more extreme value has a higher score.

    Reference: Li et al. (2022), ECOD: Unsupervised outlier detection using empirical cumulative distribution functions,
    IEEE TKDE.

    Examples
    --------
    >>> EmpiricalTails(reference=100).params()
    {'reference': 100}
    """

    name = "ecod"

    reference: int = param(5_000, low=1, high=10_000_000, help="Training rows that the distributions are taken from.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the sorted values of each number, or of a random sample of the rows."""
        super().fit(data, run)
        data = subsample(data, self.reference, run)
        columns: list[Floats] = [np.zeros(0, dtype=np.float32)]
        count = len(data.layout.blocks)
        sizes, self.skewed_left_ = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.bool_)
        for at in data.layout.numbers:
            values = np.sort(data.values[data.observed[:, at], at])
            columns.append(values)
            sizes[at] = len(values)
            centred = values - values.mean() if len(values) else values
            self.skewed_left_[at] = bool(np.power(centred, 3, dtype=np.float64).sum() < 0)
        self.sorted_, self.sorted_ends_ = np.concatenate(columns), np.cumsum(sizes)
        self.sorted_starts_ = self.sorted_ends_ - sizes
        return self

    def surprisals(self, data: Encoded) -> Scores:
        """Return each cell's surprisal on the side that makes its row's score the largest."""
        fixed, seen = self.fixed_surprisals(data)
        left, right = np.zeros(fixed.shape), np.zeros(fixed.shape)
        for at in data.layout.numbers:
            rows = seen[:, at]
            values = self.sorted_[self.sorted_starts_[at] : self.sorted_ends_[at]].astype(np.float64)
            left[rows, at] = upper_tail(-values[::-1], -data.values[rows, at].astype(np.float64))
            right[rows, at] = upper_tail(values, data.values[rows, at].astype(np.float64))
        skewed = np.where(self.skewed_left_, left, right)
        sides = np.stack([left, right, skewed])
        best = sides.sum(axis=2).argmax(axis=0)
        return np.asarray(fixed + sides[best, np.arange(len(best))])
