"""Levels as intervals of a latent normal score, with the levels' frequencies as probabilities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from anomalo.plugin import Mask, Scores

Codes = NDArray[np.int64]

EDGE = 8.0
"""The ends of the outermost intervals, in standard deviations."""
LEAST = 1e-12
"""The least probability of an allowed level, however far it is from the mean."""


@dataclass(frozen=True)
class LatentIntervals:
    """The intervals of one column's codes.

    Attributes
    ----------
    low, high : float64 [size]
        Their ends, in standard deviations.
    """

    low: Scores
    high: Scores

    @classmethod
    def of(cls, upto: Scores) -> "LatentIntervals":
        """Return intervals for the shares of the rows with a code or a smaller one, float64 [size]."""
        ends = np.clip(ndtri(np.concatenate([[0.0], upto])), -EDGE, EDGE)
        ends[-1] = EDGE
        return cls(ends[:-1], ends[1:])

    def means(self) -> Scores:
        """Return the expected score within each interval, float64 [size]."""
        low, high = self.low, self.high
        mass = ndtr(high) - ndtr(low)
        density = (np.exp(-np.square(low) / 2) - np.exp(-np.square(high) / 2)) / np.sqrt(2 * np.pi)
        means: Scores = np.where(mass > 0, density / np.where(mass > 0, mass, 1.0), (low + high) / 2)
        return means

    def codes(self, scores: Scores) -> Codes:
        """Return the codes whose intervals scores [n] lie in."""
        return np.searchsorted(self.high[:-1], scores, side="right").astype(np.int64)

    def draw(self, mean: Scores, scale: float, allowed: Mask, rng: np.random.Generator) -> tuple[Scores, Codes]:
        """Draw normal scores from the intervals that are allowed, and return them with their codes.

        Parameters
        ----------
        mean : float64 [n]
        scale : float
        allowed : bool [n, size]
            At least one in each row.
        """
        below, above = (ndtr((ends - mean[:, None]) / scale) for ends in (self.low, self.high))
        upto = np.cumsum(np.where(allowed, np.maximum(above - below, LEAST), 0.0), axis=1)
        chosen = (upto <= rng.random((len(mean), 1)) * upto[:, -1:]).sum(axis=1)
        at = np.arange(len(mean)), chosen
        share = below[at] + rng.random(len(mean)) * (above[at] - below[at])
        score = mean + scale * ndtri(np.clip(share, 1e-300, 1 - 1e-16))
        # Where the distribution has no mass in the interval, its nearest end.
        return np.clip(score, self.low[chosen], self.high[chosen]), chosen.astype(np.int64)
