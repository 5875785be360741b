"""Numbers as normal scores by their empirical distribution, with jittered ties, and the inverse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]

MOST_KNOTS = 4096
"""A distribution is stored by at most this many of its values."""
CLOSED = 0.05
"""A number with a smaller share of untied rows than this takes only values of the training rows."""
MARGIN = 1e-3
"""Share of a tie's ends that jitter leaves out, so that no rounding leads to a neighbouring value."""


@dataclass(frozen=True)
class Quantiles:
    """The empirical distribution of a number.

    Attributes
    ----------
    values : float64 [m]
        Distinct values, ascending.
    upper : float64 [m]
        Share of the rows with this value or a smaller one; the last is 1.
    tied : bool [m]
        Whether a value stands for all shares from `upper` of the one before to its `upper`; between values that do
        not, the distribution is linear.

    Examples
    --------
    >>> scores = Quantiles.fit([1.0, 2.0, 2.0, 2.0, 5.0])
    >>> scores.inverse(scores.forward([2.0, 2.0], np.random.default_rng(0)))
    array([2., 2.])
    """

    values: Scores
    upper: Scores
    tied: NDArray[np.bool_]

    @classmethod
    def fit(cls, values: ArrayLike) -> Self:
        """Learn the distribution of at least one finite number, [n]."""
        distinct, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
        upper = np.cumsum(counts) / counts.sum()
        closed = counts[counts == 1].sum() < CLOSED * counts.sum()
        keep = _evenly_spaced(upper)
        return cls(distinct[keep], upper[keep], ((counts > 1) | closed)[keep])

    @property
    def closed(self) -> bool:
        """Whether `inverse` returns only values of the training rows."""
        return bool(self.tied.all())

    @cached_property
    def _lower(self) -> Scores:
        return np.concatenate([[0.0], self.upper[:-1]])

    @cached_property
    def _knots(self) -> tuple[Scores, Scores]:
        """Shares, ascending, and the values there: a tie has two, its ends; another value one, its middle."""
        middle = (self._lower + self.upper) / 2
        ends = np.where(self.tied[:, None], np.stack([self._lower, self.upper], axis=1), middle[:, None])
        keep = np.stack([np.ones(len(middle), dtype=bool), self.tied], axis=1)
        return ends[keep], np.repeat(self.values, 1 + self.tied)

    def bounds(self, values: ArrayLike) -> tuple[Scores, Scores]:
        """Return the ends of each value's share [n]: those of all training rows that have it.

        A value that no training row has gets an interpolated share, both ends equal.
        """
        values = np.asarray(values, dtype=np.float64)
        index = np.clip(np.searchsorted(self.values, values), 0, len(self.values) - 1)
        seen = self.values[index] == values
        between = np.interp(values, self.values, (self._lower + self.upper) / 2)
        return np.where(seen, self._lower[index], between), np.where(seen, self.upper[index], between)

    def forward(self, values: ArrayLike, rng: np.random.Generator | None = None) -> Scores:
        """Return normal scores [n]: normal quantiles of each value's share; a random one in a tie, or its middle."""
        from scipy.special import ndtri

        lower, upper = self.bounds(values)
        tied = self.tied[np.clip(np.searchsorted(self.values, values), 0, len(self.values) - 1)]
        jitter = 0.5 if rng is None else rng.uniform(MARGIN, 1 - MARGIN, len(lower))
        scores: Scores = ndtri(lower + np.where(tied, jitter, 0.5) * (upper - lower))
        return scores

    def inverse(self, scores: ArrayLike) -> Scores:
        """Return the values [n] of normal scores; never outside the training range."""
        from scipy.special import ndtr

        share = ndtr(np.asarray(scores, dtype=np.float64))
        if self.closed:  # no shares to interpolate between
            index = np.searchsorted(self.upper[:-1], share, side="right")
            return np.asarray(self.values[index])
        return np.interp(share, *self._knots)


def _evenly_spaced(upper: Scores) -> NDArray[np.intp]:
    """Choose at most `MOST_KNOTS` values, evenly by their share, the first and the last among them."""
    if len(upper) <= MOST_KNOTS:
        return np.arange(len(upper))
    chosen = np.searchsorted(upper, np.linspace(upper[0], 1, MOST_KNOTS))
    return np.unique(np.minimum(chosen, len(upper) - 1))
