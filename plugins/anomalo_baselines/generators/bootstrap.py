"""Training rows drawn with replacement: perfect but for being copies."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Encoded, Model, Run, param
from anomalo_baselines.generators.condition_matching import matching
from anomalo_baselines.subsample import subsample

FITTING = 10
"""Given cells are put into one of at least so many training rows that fit them best."""


@dataclass(kw_only=True)
class Bootstrap(Model):
    """Rows of the training table, drawn with replacement: the yardstick for copying.

    Reference: Efron (1979), Bootstrap methods: another look at the jackknife, Annals of Statistics 7.

    Examples
    --------
    >>> Bootstrap(reference=1000).params()
    {'reference': 1000}
    """

    name = "bootstrap"

    reference: int = param(50_000, low=1, high=10_000_000, help="How many training rows to keep, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training rows, or a random sample of them."""
        data = subsample(data, self.reference, run)
        self.values_, self.observed_ = data.values.copy(), data.observed.copy()
        return self

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return training rows, those that fit the given cells best, with these put into them."""
        drawn = np.zeros(len(given), dtype=np.intp)
        for rows, fitting in matching(given, self.values_, self.observed_, FITTING):
            drawn[rows] = run.rng.choice(fitting, len(rows))
        values = np.where(given.observed, given.values, self.values_[drawn])
        return Encoded(values, given.observed | self.observed_[drawn], given.layout)
