"""Cells' shares of their row's contributions."""

import numpy as np

from anomalo.encoding.encoded import Scores


def relative(contribution: Scores) -> Scores:
    """Return the positive parts of contributions [n, cells] as shares that sum to 1 (equal ones if none is)."""
    positive = np.maximum(contribution, 0.0, dtype=np.float64)
    total = positive.sum(axis=1, keepdims=True)
    found: Scores = np.full(positive.shape, 1 / max(1, positive.shape[1]))
    np.divide(positive, total, out=found, where=total > 0)
    return found
