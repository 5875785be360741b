"""Folds: parts of the rows that are left out of a fit in turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Floats

STRETCHES = 5
"""Stretches of time of a fold."""


def fold_count(rows: int) -> int:
    """Return how many folds to use: 5, and 3 where there are so many rows that each is expensive."""
    return 5 if rows < 20_000 else 3


def assign_folds(hashes: NDArray[np.uint64], folds: int, seed: int, times: Floats | None = None) -> NDArray[np.intp]:
    """Assign each row a fold, [n]; equal rows share one, and with `times` a fold consists of `STRETCHES` of time.

    Rows that are near in time are alike: in a fold of single rows each would have been seen nearly. A fold of one
    stretch would be scored by a model that knows nothing of its time, where a table drifts.

    Parameters
    ----------
    hashes : uint64 [n]
        Equal for equal rows.
    folds : int
        How many; fewer where there are fewer distinct rows.
    seed : int
        Shuffles the rows where there are no times.
    times : float [n], optional
        Any number that grows with time.

    Reference: Roberts et al. (2017), Cross-validation strategies for data with temporal structure, Ecography 40
    (blocks).
    """
    distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    folds = min(folds, len(distinct))
    shuffled = np.random.default_rng([seed, 11]).permutation(len(distinct))
    order = shuffled if times is None else np.argsort(times[first], kind="stable")
    parts = folds if times is None else folds * max(1, min(STRETCHES, len(distinct) // folds))
    fold = np.empty(len(distinct), dtype=np.intp)
    fold[order] = np.arange(len(distinct)) * parts // len(distinct) % folds
    return fold[inverse]
