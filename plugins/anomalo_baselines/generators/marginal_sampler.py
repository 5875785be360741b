"""The generator `marginals`: every column drawn independently of the others."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Encoded, Model, Run, param
from anomalo_baselines.subsample import subsample


@dataclass(kw_only=True)
class MarginalSampler(Model):
    """Each cell drawn from its column's training cells, missing values included, independently of the others.

    The baseline for measures of one column at a time.

    Examples
    --------
    >>> MarginalSampler(reference=1000).params()
    {'reference': 1000}
    """

    name = "marginals"

    reference: int = param(50_000, low=1, high=10_000_000, help="How many training rows to keep, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training rows, or a random sample of them."""
        data = subsample(data, self.reference, run)
        self.values_, self.observed_ = data.values.copy(), data.observed.copy()
        return self

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return rows of cells that are drawn column by column; given ones are kept."""
        drawn = run.rng.integers(0, len(self.values_), given.values.shape), np.arange(given.values.shape[1])
        values = np.where(given.observed, given.values, self.values_[drawn])
        return Encoded(values, given.observed | self.observed_[drawn], given.layout)
