"""How improbable the characters of each text are, given the other texts of its column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_EDGE = "\x02"
_SMALL = 0.1
"""Added to the counts of trigrams, for each character of the column's alphabet."""


def surprisals(values: Sequence[str], counts: Counts) -> Floats:
    """Return, by distinct text, the largest surprisal of a character after the two before it, and their mean, in nats.

    A text's occurrences are left out of the counts that it is compared with, so that a rare text is not its evidence.

    Parameters
    ----------
    values : sequence of str
        Distinct texts [k].
    counts : int array [k]
        How many rows have each.

    Returns
    -------
    float array [k, 2]
    """
    lengths = np.array([len(value) + 1 for value in values], dtype=np.int64)
    if not len(values):
        return np.zeros((0, 2))
    owner = np.repeat(np.arange(len(values)), lengths)
    letters, alphabet = _letters(values)
    first, second, third = (_shifted(letters, owner, lengths, back) for back in (2, 1, 0))
    context = first * alphabet + second
    weights = counts.astype(np.float64)
    seen = _others(context * alphabet + third, owner, weights)
    contexts = _others(context, owner, weights)
    surprisal = np.log(contexts + _SMALL * alphabet) - np.log(seen + _SMALL)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.stack([np.maximum.reduceat(surprisal, starts), np.add.reduceat(surprisal, starts) / lengths], axis=1)


def _letters(values: Sequence[str]) -> tuple[Counts, int]:
    """Return the characters of all texts as small codes, an edge after each text, and how many codes there are."""
    joined = _EDGE.join(values) + _EDGE
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    known, codes = np.unique(points, return_inverse=True)
    return codes.astype(np.int64) + 1, len(known) + 1


def _shifted(letters: Counts, owner: Counts, lengths: Counts, back: int) -> Counts:
    """Return the character so many positions before; 0 before a text's start."""
    if not back:
        return letters
    position = np.arange(len(letters)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    earlier = np.concatenate([np.zeros(back, dtype=np.int64), letters])[: len(letters)]
    return np.where(position >= back, earlier, 0)


def _others(keys: Counts, owner: Counts, weights: Floats) -> Floats:
    """Return how often each position's key occurs in rows with other texts than the position's."""
    _, codes = np.unique(keys, return_inverse=True)
    total = np.bincount(codes, weights=weights[owner])
    pair = codes * len(weights) + owner
    _, pairs, repeats = np.unique(pair, return_inverse=True, return_counts=True)
    return np.asarray(total[codes] - repeats[pairs] * weights[owner])
