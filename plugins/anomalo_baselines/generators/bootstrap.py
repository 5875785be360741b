"""The generator `bootstrap`: training rows drawn with replacement, copies by construction."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Encoded, Model, Run, param
from anomalo_baselines.generators.condition_matching import matching_rows
from anomalo_baselines.subsample import subsample

MATCHES = 10
"""Given cells are put into one of at least this many training rows that match them best."""


@dataclass(kw_only=True)
class Bootstrap(Model):
    """Rows of the training table, drawn with replacement: the baseline for measures of copying.

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
        """Return training rows, those that match the given cells best, with these put into them."""
        drawn = np.zeros(len(given), dtype=np.intp)
        for rows, matches in matching_rows(given, self.values_, self.observed_, MATCHES):
            drawn[rows] = run.rng.choice(matches, len(rows))
        values = np.where(given.observed, given.values, self.values_[drawn])
        return Encoded(values, given.observed | self.observed_[drawn], given.layout)
