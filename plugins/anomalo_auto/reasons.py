"""Reasons for a row's score: which cells several ways of looking at the row agree on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Scores, relative

BULK = 0.85
"""Up to this quantile of a column's contributions they are usual."""
SLIGHT = 1e-3
"""The least usual contribution of a column, relative to the mean of all."""
LEAST = 0.02
"""Added to a cell's share in each view: none alone can rule a cell out."""


@dataclass(frozen=True)
class Reasons:
    """How much each column usually contributes in several views of a row, and the cells that they agree on.

    A view is a model that explains a row by all of its columns together. Its contributions count twice: as shares of
    the row, and as surprisals within their columns, which a column that is always hard to predict does not lead. The
    geometric mean of all shares is the reason: views that err in different ways agree only on cells that are wrong.

    Attributes
    ----------
    usual : float64 [views, 2, columns]
        The quantile `BULK` of each column's contributions in training, and their mean excess over it.

    Reference: Genest and Zidek (1986), Combining probability distributions, Statistical Science 1 (logarithmic pools).
    """

    usual: Scores

    @classmethod
    def fit(cls, contributions: Sequence[Scores]) -> Self:
        """Learn the columns' usual contributions from those of training rows in each view, each [n, columns]."""
        return cls(np.stack([_usual(contribution) for contribution in contributions]))

    def shares(self, first: Scores, contributions: Sequence[Scores]) -> Scores:
        """Return the cells' shares of their rows' scores, float64 [n, columns], which sum to 1.

        Parameters
        ----------
        first : float64 [n, columns]
            Shares by how much each member raises the score; one more view.
        contributions : sequence of float64 [n, columns]
            In each of the other views.
        """
        total = np.log(first + LEAST)
        for contribution, usual in zip(contributions, self.usual, strict=True):
            surprisal = _surprisal(np.maximum(contribution, 0.0), usual)
            total += np.log(relative(contribution) + LEAST) + np.log(relative(surprisal) + LEAST)
        mean: Scores = np.exp(total / (1 + 2 * len(self.usual)))
        return relative(mean - LEAST)


def _usual(contribution: Scores) -> Scores:
    """Return the columns' usual contributions and mean excesses over them, [2, columns], of [n, columns]."""
    positive = np.maximum(contribution, 0.0)
    least = SLIGHT * float(positive.mean()) + np.finfo(np.float32).tiny
    bulk = np.quantile(positive, BULK, axis=0)
    excess = np.maximum(positive - bulk, 0.0).mean(axis=0) / (1 - BULK)
    return np.asarray(np.maximum(np.stack([bulk, excess]), least))


def _surprisal(contribution: Scores, usual: Scores) -> Scores:
    """Return about -log of the share of such contributions in their columns: linear up to `BULK`, then exponential."""
    bulk, excess = usual
    rare = -np.log1p(-BULK)
    return np.asarray(np.where(contribution < bulk, rare * contribution / bulk, rare + (contribution - bulk) / excess))
