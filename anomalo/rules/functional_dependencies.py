"""Which columns decide others, from the codes of their levels: in all rows, or in nearly all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.rules.acceptance import SHARE

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

ROWS_PER_LEVEL = 10
"""A column with fewer rows than this to a level is not taken to determine another in all rows."""
MOST_LEVELS = 100
"""Nor is one with more levels."""
COINCIDENCE = 1e-6
"""Nor is one whose dependency would arise between independent columns with a greater probability."""
SCREEN, MOST_RARE = 64, 2048
"""Pairs are tested first on `SCREEN` rows, and then on at most `MOST_RARE` rows with rare levels."""
NEARLY_SCREEN = 512
"""Pairs that may have exceptions are tested first on so many rows."""
UNDECIDED = 0.2
"""A level of the deciding column with a larger share of exceptions (of two or more) decides nothing."""


@dataclass(frozen=True)
class Decisions:
    """How often each level of a source came with which of a target.

    Attributes
    ----------
    usual : int64 [levels of the source]
        The target's most frequent level with each.
    decided : bool [levels of the source]
        Which of the source's levels decide the target's.
    support, exceptions : int
        Rows whose level of the source occurs twice or more, and those of them without the usual level.
    """

    usual: Codes
    decided: Mask
    support: int
    exceptions: int

    @classmethod
    def of(cls, source: Codes, target: Codes, sources: int, targets: int) -> Decisions:
        """Count the rows in which both are known; a level of the source in one row alone breaks nothing."""
        there = (source >= 0) & (target >= 0)
        counts = np.bincount(source[there] * targets + target[there], minlength=sources * targets)
        counts = counts.reshape(sources, targets)
        sizes, most = counts.sum(axis=1), counts.max(axis=1)
        wrong = sizes - most
        mixed = ((wrong > 1) & (wrong > UNDECIDED * sizes)) | (most <= wrong)
        repeated = sizes > 1
        return cls(counts.argmax(axis=1), (most > 1) & ~mixed, int(sizes[repeated].sum()), int(wrong[repeated].sum()))


def always(codes: Codes) -> Iterator[tuple[int, int]]:
    """Yield all (source, target) of which the first determines the second in all rows.

    B is determined by A if all rows with an equal A have an equal B, and there are enough rows to rule out coincidence.

    Parameters
    ----------
    codes : int [n, columns]
        Numbers from 0 for each column's levels, of which a missing cell is one.
    """
    n, levels = len(codes), codes.max(axis=0, initial=-1) + 1
    targets = np.flatnonzero((levels > 1) & (levels <= MOST_LEVELS))
    small = codes[:, targets].astype(np.uint8)
    counts = levels[targets]
    screens = small[np.random.default_rng(0).permutation(n)[:SCREEN]], small[_with_rare(small)], small
    for source in np.flatnonzero(counts * ROWS_PER_LEVEL <= n):
        candidates = np.flatnonzero(counts <= counts[source])
        candidates = candidates[candidates != source]
        for rows in screens:
            _, differ = _neighbours(rows[:, source], rows[:, candidates])
            candidates = candidates[~differ.any(axis=0)]
        for target in candidates:
            pair = int(targets[source]), int(targets[target])
            if not _coincidence(codes[:, pair[0]], codes[:, pair[1]]):
                yield pair


def nearly(codes: NDArray[np.int32], targets: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Yield (source, target) that may be a dependency with exceptions, for `Decisions` to count.

    Parameters
    ----------
    codes : int32 [n, columns]
        The levels of rows in random order, less than 0 where there is none.
    targets : int [k]
        The columns that may be decided.
    """
    few = codes[:NEARLY_SCREEN]
    for source in range(few.shape[1]):
        both, differ = _neighbours(few[:, source], few[:, targets])
        for target in targets[differ.sum(axis=0) <= 6 * SHARE * both.sum(axis=0) + 3]:
            if target != source:
                yield source, int(target)


def determined(codes: Codes, prefer: Mask) -> dict[int, int]:
    """Return the columns that can be dropped, and for each the kept column that determines it in all rows.

    Of columns that determine each other one stays: a preferred one before others, then the first.

    Parameters
    ----------
    codes : int64 [n, columns]
        As `always` takes them.
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
    for source, target in always(codes):
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


def independent(found: Mask) -> Iterator[tuple[int, int]]:
    """Yield the dependencies that remain: first of columns that decide each other, no steps over a third column."""
    equal = found & found.T
    first = np.array([min([at, *np.flatnonzero(row)]) for at, row in enumerate(equal)], dtype=np.intp)
    for at in np.flatnonzero(first != np.arange(len(first))):
        yield int(first[at]), int(at)
    heads = np.flatnonzero(first == np.arange(len(first)))
    among = found & ~equal
    for source in heads:
        for target in heads[among[source, heads]]:
            between = heads[among[source, heads] & among[heads, target]]
            if not len(between):
                yield int(source), int(target)


def _neighbours(source: NDArray[Any], targets: NDArray[Any]) -> tuple[Mask, Mask]:
    """Return which neighbours in the order of the source share a level, and in which of them each target differs.

    A target that never differs is constant within each level of the source. Codes below 0 are not looked at.

    Parameters
    ----------
    source : int [n]
    targets : int [n, k]

    Returns
    -------
    both, differ : bool [at most n - 1, k]
    """
    seen = np.flatnonzero(source >= 0)
    order = seen[np.argsort(source[seen], kind="stable")]
    groups, ordered = source[order], targets[order]
    both = np.broadcast_to((groups[1:] == groups[:-1])[:, None], ordered[1:].shape)
    if ordered.dtype.kind != "u":
        both = both & (ordered[1:] >= 0) & (ordered[:-1] >= 0)
    return both, both & (ordered[1:] != ordered[:-1])


def _with_rare(codes: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return the first row of each level of each column, up to a limit; they refute most pairs."""
    first = [np.unique(column, return_index=True)[1] for column in codes.T]
    rows = np.unique(np.concatenate([np.arange(0), *first]))
    return rows[:: len(rows) // MOST_RARE + 1]


def _coincidence(source: Codes, target: Codes) -> bool:
    """Whether independent columns could be as these: some table of the target by the source's levels fits by chance.

    No table fits with a greater probability than there are tables times the probability of the target's cells.
    """
    counts = np.bincount(target)
    counts = counts[counts > 0]
    cells = (counts * np.log(counts / len(target))).sum()
    return bool(len(np.unique(source)) * np.log(len(counts)) + cells > np.log(COINCIDENCE))
