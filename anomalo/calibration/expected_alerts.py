"""How many alerts a threshold on p-values gives where nothing has changed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
POINTS = 4001
"""The most counts at which the distribution is computed; of more, equally distant ones."""
WIDTH = 12.0
"""In standard deviations: how far from the mean the distribution is computed."""


def expected_alerts(rows: int, share: float, reference: int, level: float = LEVEL) -> tuple[int, int]:
    """Return the fewest and the most alerts that are expected among normal rows, in `level` of all tables.

    A row is an alert if its p-value is at most `share`. With m reference scores, these are the rows above the k-th
    largest of them, k = ⌊share (m + 1)⌋; the chance of that is Beta(k, m + 1 - k), which varies with the reference, so
    that the number of alerts is beta-binomial: wider than the binomial, to which it tends with m.

    Parameters
    ----------
    rows : int
        How many rows are scored, from 0.
    share : float
        The threshold, in (0, 1).
    reference : int
        How many scores p-values are computed from: m.
    level : float
        The share of tables whose number of alerts is within, in (0, 1).

    Reference: Vovk (2012), Conditional validity of inductive conformal predictors, ACML, proposition 2a.

    Examples
    --------
    >>> expected_alerts(1000, 0.01, 1_000_000), expected_alerts(1000, 0.01, 1000), expected_alerts(1000, 0.01, 50)
    ((4, 17), (3, 20), (0, 0))
    """
    above = math.floor(share * (reference + 1) * (1 + 1e-12))  # 0.07 * 100 is 7, not 7.000000000000001
    if rows == 0 or above == 0:
        return 0, 0
    counts, chances = _beta_binomial(rows, above, reference + 1 - above)
    reached = np.cumsum(chances) / chances.sum()
    low, high = np.searchsorted(reached, [(1 - level) / 2, (1 + level) / 2])
    return int(counts[low]), int(counts[min(high, len(counts) - 1)])


def _beta_binomial(n: int, a: int, b: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return counts around the mean, and their relative chances."""
    from scipy.special import betaln, gammaln

    mean, share = n * a / (a + b), a / (a + b)
    deviation = math.sqrt(n * share * (1 - share) * (a + b + n) / (a + b + 1))
    ends = max(mean - WIDTH * deviation - 1, 0), min(mean + WIDTH * deviation + 1, n)
    counts = np.unique(np.linspace(*ends, POINTS).round()).astype(np.int64)
    ways = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    log = ways + betaln(counts + a, n - counts + b)
    return counts, np.exp(log - log.max())
