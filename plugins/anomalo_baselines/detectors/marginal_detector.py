"""What detectors share that look at each column by itself: categories, missing cells, reasons and expected values."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import FIRST_LEVEL, Cells, Encoded, Floats, Model, Run, Scores
from anomalo_baselines.detectors.category_surprisal import PSEUDO

TOTALS = 5000
"""Training rows whose rarities are kept, about."""
TAIL = 0.05
"""Beyond the training values a tail is extrapolated with the mean excess over this share of them."""


def upper_tail(ordered: NDArray[np.floating], values: Scores) -> Scores:
    """Return -log of the share of the ordered training values that are at least as large, float64 [n] >= 0.

    Beyond all of them it rises in proportion to the distance.
    """
    count = len(ordered)
    if not count:
        return np.zeros(len(values))
    above = count - np.searchsorted(ordered, values, side="left")
    found = -np.log(np.minimum((above + 0.5) / (count + 1), 1.0))
    top = ordered[int((1 - TAIL) * count) :]
    scale = max(float((top - top[0]).mean()), 1e-3)
    return np.asarray(found + np.maximum(values - ordered[-1], 0) / scale)


@dataclass(kw_only=True)
class MarginalDetector(Model):
    """Adds up a surprisal of each number, by the distribution of its column alone, and one of all categories together.

    That of the categories is -log of the share of rows whose levels are at least as rare together: with many columns,
    most rows have a rare level in one of them. The rarity of a level is -log of its share, that of a missing cell -log
    of the share of missing cells, if there were any in training. A subclass gives the surprisals of numbers.
    """

    score_unit = "nats"

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn each column's distribution."""
        columns = len(data.layout.blocks)
        self.expected_ = np.zeros(columns, dtype=np.float32)
        shares: list[Scores] = [np.zeros(0)]
        sizes = np.zeros(columns, dtype=np.int64)
        for at in data.layout.categories:
            codes = data.values[data.observed[:, at], at].astype(np.intp) - FIRST_LEVEL
            counts = np.bincount(codes, minlength=data.layout.blocks[at].size) + PSEUDO
            shares.append(counts / counts.sum())
            sizes[at] = len(counts)
            self.expected_[at] = FIRST_LEVEL + counts.argmax()
        self.shares_, self.share_ends_ = np.concatenate(shares), np.cumsum(sizes)
        for at in data.layout.numbers:
            seen = data.values[data.observed[:, at], at]
            self.expected_[at] = np.median(seen) if len(seen) else 0.0
        missing = (~data.observed).sum(axis=0)
        self.missing_ = np.where(missing > 0, (missing + PSEUDO) / (len(data) + 1), 0.0)
        totals = self._rarity(data)[:, data.layout.categories].sum(axis=1)
        self.totals_ = np.sort(totals)[:: max(1, len(totals) // TOTALS)]
        return self

    def _rarity(self, data: Encoded) -> Scores:
        """Return the rarity of levels and of missing cells in nats, float64 [n, columns]; 0 for an observed number."""
        seen = data.observed
        with np.errstate(divide="ignore"):
            gone = np.where(self.missing_ > 0, -np.log(self.missing_), 0.0)
        found = np.where(seen, -np.log1p(-self.missing_), gone)
        for at in data.layout.categories:
            end = self.share_ends_[at]
            shares = self.shares_[end - data.layout.blocks[at].size : end]
            rows = seen[:, at]
            found[rows, at] -= np.log(shares[data.values[rows, at].astype(np.intp) - FIRST_LEVEL])
        return found

    def fixed_surprisals(self, data: Encoded) -> tuple[Scores, NDArray[np.bool_]]:
        """Return what does not depend on a number's value, float64 [n, columns], and where numbers are observed.

        The categories' surprisal is divided in proportion to their rarities.
        """
        found, categories = self._rarity(data), data.layout.categories
        if len(categories):
            total = found[:, categories].sum(axis=1)
            share = np.divide(upper_tail(self.totals_, total), total, out=np.zeros(len(total)), where=total > 0)
            found[:, categories] *= share[:, None]
        number = np.zeros(data.observed.shape[1], dtype=np.bool_)
        number[data.layout.numbers] = True
        return found, data.observed & number

    def surprisals(self, data: Encoded) -> Scores:
        """Return each cell's surprisal in nats, float64 [n, columns]; a row's sum is its score."""
        raise NotImplementedError

    def score(self, data: Encoded) -> Scores:
        """Return the rows' surprisals in nats, float64 [n]."""
        return np.asarray(self.surprisals(data).sum(axis=1))

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's surprisal, and its column's median or most frequent level."""
        expected: Floats = np.tile(self.expected_, (len(data), 1))
        return Cells(self.surprisals(data), expected)
