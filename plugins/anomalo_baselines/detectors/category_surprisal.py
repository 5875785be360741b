"""The surprisal of a row's categories: the sum of the negative log shares of their levels."""

import numpy as np

from anomalo.plugin import FIRST_LEVEL, MISSING, Encoded, Floats, Layout, Scores

PSEUDO = 0.5
"""The pseudo-count of each code (Krichevsky and Trofimov 1981)."""


def code_shares(data: Encoded) -> Scores:
    """Return each category's shares of missing, unseen and known levels, one after the other, float64 [codes]."""
    parts = [np.zeros(0)]
    for at in _varied(data.layout):
        counts = np.bincount(data.values[:, at].astype(np.intp), minlength=data.layout.blocks[at].size + FIRST_LEVEL)
        parts.append((counts + PSEUDO) / (counts + PSEUDO).sum())
    return np.concatenate(parts)


def with_surprisal(data: Encoded, shares: Scores) -> Floats:
    """Return the numbers and, if there are categories, their surprisal in nats: float32 [n, numbers + 1].

    Parameters
    ----------
    shares : float64 [codes]
        The `code_shares` of the training table; the surprisal is the sum of -log of them.
    """
    numbers = np.where(data.observed, data.values, MISSING)[:, data.layout.numbers]
    if not _varied(data.layout):
        return np.ascontiguousarray(numbers, dtype=np.float32)
    surprisal, start = np.zeros(len(data)), 0
    for at in _varied(data.layout):
        surprisal -= np.log(shares[start + data.values[:, at].astype(np.intp)])
        start += data.layout.blocks[at].size + FIRST_LEVEL
    return np.column_stack([numbers, surprisal]).astype(np.float32)


def _varied(layout: Layout) -> list[int]:
    """Return the positions of categories with more than one level."""
    return [int(at) for at in layout.categories if layout.blocks[at].size > 1]
