"""Folds: parts of the rows that are left out of a fit in turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Floats, Layout


def fold_count(rows: int) -> int:
    """Return how many folds to use: 5, and 3 where there are so many rows that each is expensive."""
    return 5 if rows < 20_000 else 3


def assign_folds(hashes: NDArray[np.uint64], folds: int, seed: int, times: Floats | None = None) -> NDArray[np.intp]:
    """Assign each row a fold, [n]; equal rows share one, and with `times` folds are stretches of time.

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
    """
    distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    folds = min(folds, len(distinct))
    shuffled = np.random.default_rng([seed, 11]).permutation(len(distinct))
    order = shuffled if times is None else np.argsort(times[first], kind="stable")
    fold = np.empty(len(distinct), dtype=np.intp)
    fold[order] = np.arange(len(distinct)) * folds // len(distinct)
    return fold[inverse]


def time_column(layout: Layout, datetimes: set[str]) -> int | None:
    """Return the position of the only column of datetimes, if there is exactly one."""
    positions = [block.position for block in layout.blocks if block.name in datetimes and block.kind == "number"]
    return positions[0] if len(positions) == 1 else None
