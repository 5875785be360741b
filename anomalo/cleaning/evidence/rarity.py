"""How rare each text is in its column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def rarity(counts: NDArray[np.int64]) -> tuple[Floats, Floats, float]:
    """Return the logarithm of each text's count [k], its surprisal above the column's mean [k], and that mean in nats.

    A text that only new rows have (its count is 0) counts as one row.

    Examples
    --------
    >>> log_count, surprisal, entropy = rarity(np.array([2, 2]))
    >>> surprisal, round(entropy, 3)
    (array([0., 0.]), 0.693)
    """
    present = np.maximum(counts, 1)
    surprisal, there = np.log(max(int(counts.sum()), 1) / present), counts > 0
    entropy = float(np.average(surprisal[there], weights=counts[there])) if there.any() else 0.0
    return np.log(present), surprisal - entropy, entropy
