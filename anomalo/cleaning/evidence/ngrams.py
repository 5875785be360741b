"""How improbable the characters of each text are, given the other texts of its column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_EDGE = "\x02"
_SMALL = 0.1
"""Added to the counts of trigrams, for each character of the column's alphabet."""
BATCH = 4096
"""So many texts are looked at together."""


@dataclass(frozen=True)
class _Letters:
    """The characters of some texts, with an edge after each.

    Attributes
    ----------
    texts : slice
        Which of the column's texts.
    owner : int array [positions]
        Which of these each character is of.
    context, trigram : int array [positions]
        The two characters before it, and these with it, as numbers.
    lengths : int array [texts]
        How many characters each text has.
    """

    texts: slice
    owner: Counts
    context: Counts
    trigram: Counts
    lengths: Counts


def surprisals(values: Sequence[str], counts: Counts) -> Floats:
    """Return, by distinct text, the largest surprisal of a character after the two before it, and their mean, in nats.

    A text's occurrences are left out of the counts that it is compared with, so that a rare text is not its evidence.

    Parameters
    ----------
    values : sequence of str
        Distinct texts [k].
    counts : int array [k]
        How many rows of the reference have each; 0 for a text that only new rows have.

    Returns
    -------
    float array [k, 2]
    """
    result, weights = np.zeros((len(values), 2)), counts.astype(np.float64)
    if not len(values):
        return result
    parts = [np.unique(_points(values[start : start + BATCH])) for start in range(0, len(values), BATCH)]
    points = np.unique(np.concatenate(parts))
    trigrams, seen = _totals(_batches(values, points), weights)
    contexts, first = np.unique(trigrams // (len(points) + 1), return_index=True)
    before = np.add.reduceat(seen, first)
    alphabet = len(np.unique(trigrams[seen > 0] % (len(points) + 1))) + 1
    for letters in _batches(values, points):
        one = weights[letters.texts]
        others = seen[np.searchsorted(trigrams, letters.trigram)] - _of_text(letters.trigram, letters.owner, one)
        rest = before[np.searchsorted(contexts, letters.context)] - _of_text(letters.context, letters.owner, one)
        surprisal = np.log(rest + _SMALL * alphabet) - np.log(others + _SMALL)
        starts = np.cumsum(letters.lengths) - letters.lengths
        result[letters.texts, 0] = np.maximum.reduceat(surprisal, starts)
        result[letters.texts, 1] = np.add.reduceat(surprisal, starts) / letters.lengths
    return result


def _points(values: Sequence[str]) -> NDArray[np.uint32]:
    """Return the code points of all texts, with an edge after each."""
    joined = _EDGE.join(values) + _EDGE
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _batches(values: Sequence[str], points: NDArray[np.uint32]) -> Iterator[_Letters]:
    """Yield the characters of some texts after the other; `points` are all that occur, in their order."""
    size = len(points) + 1
    for start in range(0, len(values), BATCH):
        texts = values[start : start + BATCH]
        lengths = np.array([len(value) + 1 for value in texts], dtype=np.int64)
        owner = np.repeat(np.arange(len(texts)), lengths)
        letters = np.searchsorted(points, _points(texts)) + 1
        first, second = (_shifted(letters, lengths, back) for back in (2, 1))
        context = first * size + second
        yield _Letters(slice(start, start + len(texts)), owner, context, context * size + letters, lengths)


def _shifted(letters: Counts, lengths: Counts, back: int) -> Counts:
    """Return the character so many positions before; 0 before a text's start."""
    position = np.arange(len(letters)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    earlier = np.concatenate([np.zeros(back, dtype=np.int64), letters])[: len(letters)]
    return np.where(position >= back, earlier, 0)


def _totals(batches: Iterator[_Letters], weights: Floats) -> tuple[Counts, Floats]:
    """Return the distinct trigrams, sorted, and how often each occurs in the rows."""
    known: Counts = np.zeros(0, dtype=np.int64)
    seen: Floats = np.zeros(0)
    for letters in batches:
        found, codes = np.unique(letters.trigram, return_inverse=True)
        counted = np.bincount(codes, weights=weights[letters.texts][letters.owner])
        merged, codes = np.unique(np.concatenate([known, found]), return_inverse=True)
        known, seen = merged, np.bincount(codes, weights=np.concatenate([seen, counted])).astype(np.float64)
    return known, seen


def _of_text(keys: Counts, owner: Counts, weights: Floats) -> Floats:
    """Return how often each position's key occurs in the rows of its own text."""
    _, codes = np.unique(keys, return_inverse=True)
    _, pairs, repeats = np.unique(codes * len(weights) + owner, return_inverse=True, return_counts=True)
    return np.asarray(repeats[pairs] * weights[owner])
