"""Functional dependencies: columns that another one determines are looked up, not learned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]

ROWS_PER_LEVEL = 10
"""A column with fewer rows than this to a level is not taken to determine another."""
MOST_LEVELS = 100
"""Nor is one with more levels."""
COINCIDENCE = 1e-6
"""Nor is one whose dependency would arise between independent columns with a greater probability."""
SCREEN, MOST_RARE = 64, 2048
"""Pairs are tested first on `SCREEN` rows, and then on at most `MOST_RARE` rows with rare levels."""


def determined(codes: Codes, prefer: NDArray[np.bool_]) -> dict[int, int]:
    """Return the columns that can be dropped, and for each the kept column that determines it.

    B is determined by A if all rows with an equal A have an equal B, and there are enough rows to rule out
    coincidence. Of columns that determine each other one stays: a preferred one before others, then the first.

    Parameters
    ----------
    codes : int64 [n, columns]
        Numbers from 0 for each column's levels.
    prefer : bool [columns]
        Of columns that determine each other, which to keep.

    Examples
    --------
    >>> month = np.arange(240) % 12
    >>> determined(np.stack([month // 3, month], axis=1), np.array([False, False]))
    {0: 1}
    """
    levels = codes.max(axis=0, initial=-1) + 1
    found: dict[int, list[int]] = {}
    for source, target in determinations(codes):
        found.setdefault(target, []).append(source)
    dropped: dict[int, int] = {}
    order = sorted(found, key=lambda column: (levels[column], prefer[column], -column))
    for target in order:
        sources = [source for source in found[target] if source not in dropped]
        if sources:
            dropped[target] = min(sources, key=lambda column: (levels[column], column))
    return {target: _root(dropped, target) for target in dropped}


def _root(dropped: dict[int, int], column: int) -> int:
    while column in dropped:
        column = dropped[column]
    return column


def determinations(codes: Codes) -> Iterator[tuple[int, int]]:
    """Yield all (source, target) of which the first determines the second, of columns [n, k] as in `determined`."""
    n, levels = len(codes), codes.max(axis=0, initial=-1) + 1
    targets = np.flatnonzero((levels > 1) & (levels <= MOST_LEVELS))
    small = codes[:, targets].astype(np.uint8)
    counts = levels[targets]
    screens = small[np.random.default_rng(0).permutation(n)[:SCREEN]], small[_with_rare(small)], small
    for source in np.flatnonzero(counts * ROWS_PER_LEVEL <= n):
        candidates = np.flatnonzero(counts <= counts[source])
        candidates = candidates[candidates != source]
        for rows in screens:
            candidates = candidates[_constant_within(rows[:, source], rows[:, candidates])]
        for target in candidates:
            pair = int(targets[source]), int(targets[target])
            if not _coincidence(codes[:, pair[0]], codes[:, pair[1]]):
                yield pair


def _with_rare(codes: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return the first row of each level of each column, up to a limit; they refute most pairs."""
    first = [np.unique(column, return_index=True)[1] for column in codes.T]
    rows = np.unique(np.concatenate([np.arange(0), *first]))
    return rows[:: len(rows) // MOST_RARE + 1]


def _constant_within(groups: NDArray[np.uint8], columns: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each of the columns [n, k] is constant within each group of rows, bool [k]."""
    if not columns.size:
        return np.ones(columns.shape[1], dtype=bool)
    order = np.argsort(groups, kind="stable")
    ordered, groups = columns[order], groups[order]
    same = (ordered[1:] == ordered[:-1]) | (groups[1:] != groups[:-1])[:, None]
    constant: NDArray[np.bool_] = np.all(same, axis=0)
    return constant


def _coincidence(source: Codes, target: Codes) -> bool:
    """Whether independent columns could be as these: some table of the target by the source's levels fits by chance.

    No table fits with a greater probability than there are tables times the probability of the target's cells.
    """
    counts = np.bincount(target)
    counts = counts[counts > 0]
    cells = (counts * np.log(counts / len(target))).sum()
    return bool(len(np.unique(source)) * np.log(len(counts)) + cells > np.log(COINCIDENCE))
