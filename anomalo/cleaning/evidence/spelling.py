"""How near each text is to a more frequent one of its column, in edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

FREQUENT = 5000
"""So many texts are compared with, the most frequent ones."""
COMMON = 300
"""A character gram in more of those texts than this finds no neighbour: no comparison is quadratic."""
NEIGHBOURS = 3
"""So many texts that share most grams are compared by edits."""
LONGEST = 128
BATCH = 4096


@dataclass(frozen=True)
class Spelling:
    """The nearest more frequent text of each distinct text.

    Attributes
    ----------
    nearest : int array [k]
        Its code; -1 where there is none.
    edits : float array [k]
        The edits to it; the text's length where there is none.
    similarity : float array [k]
        1 - edits / the longer length; 0 where there is none.
    ratio : float array [k]
        The logarithm of how many times more frequent it is; 0 where there is none.
    """

    nearest: Counts
    edits: Floats
    similarity: Floats
    ratio: Floats


def spelling(values: Sequence[str], counts: Counts) -> Spelling:
    """Find the nearest more frequent text of each distinct text [k].

    One that only new rows have (its count is 0) counts as one row.
    """
    texts = [value[:LONGEST] for value in values]
    lengths = np.array([len(text) for text in texts], dtype=np.float64)
    found = Spelling(np.full(len(texts), -1), lengths.copy(), np.zeros(len(texts)), np.zeros(len(texts)))
    frequent = np.argsort(-counts, kind="stable")
    frequent = frequent[(counts[frequent] > 1) & (lengths[frequent] > 0)][:FREQUENT]
    if not len(frequent):
        return found
    for text, other in _pairs(texts, counts, frequent):
        edits = _edits([texts[at] for at in text], [texts[at] for at in other])
        similarity = 1 - edits / np.maximum(np.maximum(lengths[text], lengths[other]), 1)
        ratio = np.log(counts[other] / np.maximum(counts[text], 1))
        for at in np.lexsort((ratio, similarity)):  # the last one stays
            mine = text[at]
            if similarity[at] > 0 and (similarity[at], ratio[at]) >= (found.similarity[mine], found.ratio[mine]):
                found.nearest[mine], found.edits[mine] = other[at], edits[at]
                found.similarity[mine], found.ratio[mine] = similarity[at], ratio[at]
    return found


def _pairs(texts: Sequence[str], counts: Counts, frequent: Counts) -> list[tuple[Counts, Counts]]:
    """Return batches of texts and frequent texts that share many grams, of which the latter are more frequent."""
    grams = _grams(texts)
    known = grams[frequent]
    document = np.asarray((known > 0).sum(axis=0)).ravel()
    weight = np.where((document > 0) & (document <= COMMON), np.log1p(len(frequent) / np.maximum(document, 1)), 0.0)
    known = (known @ sparse.diags(weight)).tocsr()
    known.eliminate_zeros()
    size = np.sqrt(np.maximum(np.asarray(known.multiply(known).sum(axis=1)).ravel(), 1e-12))
    known = (sparse.diags(1 / size) @ known).T.tocsr()
    batches = []
    for start in range(0, len(texts), BATCH):
        shared = (grams[start : start + BATCH] @ known).tocsr()
        rows = np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr)) + start
        more = counts[frequent[shared.indices]] > np.maximum(counts[rows], 1)
        rows, columns = _leading(rows[more], shared.indices[more], shared.data[more])
        batches.append((rows, frequent[columns]))
    return [batch for batch in batches if len(batch[0])]


def _leading(rows: Counts, columns: Counts, scores: Floats) -> tuple[Counts, Counts]:
    """Return the pairs of each row that have the largest scores; of equal ones those of the first columns.

    Parameters
    ----------
    rows : int array [pairs]
        In ascending order.
    columns : int array [pairs]
        Of each pair.
    scores : float array [pairs]
        Positive ones; they are changed.
    """
    if not len(rows):
        return rows, columns
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    sizes = np.diff(np.append(starts, len(rows)))
    found = []
    for _ in range(NEIGHBOURS):
        best = np.maximum.reduceat(scores, starts)
        leads = np.flatnonzero((scores == np.repeat(best, sizes)) & (scores > 0))
        leads = leads[np.lexsort((columns[leads], rows[leads]))]
        leads = leads[np.flatnonzero(np.diff(rows[leads], prepend=-1))]
        scores[leads] = 0.0
        found.append(leads)
    picked = np.concatenate(found)
    return rows[picked], columns[picked]


def _grams(texts: Sequence[str]) -> sparse.csr_array:
    """Return which pairs and triples of characters each text has."""
    index: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in texts:
        padded = f"\x02{text}\x03"
        grams = dict.fromkeys(padded[at : at + size] for size in (2, 3) for at in range(len(padded) - size + 1))
        columns += sorted(index.setdefault(gram, len(index)) for gram in grams)
        ends.append(len(columns))
    return sparse.csr_array((np.ones(len(columns)), columns, ends), shape=(len(texts), max(len(index), 1)))


def _edits(left: Sequence[str], right: Sequence[str]) -> Floats:
    """Return the edit distance of each pair [pairs], in batches of similar length."""
    result = np.zeros(len(left))
    lengths = np.array([max(len(one), len(other)) for one, other in zip(left, right, strict=True)])
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), 1024):
        part = order[start : start + 1024]
        result[part] = edit_distances([left[at] for at in part], [right[at] for at in part])
    return result


def edit_distances(left: Sequence[str], right: Sequence[str]) -> Floats:
    """Return the Levenshtein distance of each pair of texts [pairs], all pairs at once.

    References
    ----------
    Wagner and Fischer (1974). The string-to-string correction problem. Journal of the ACM 21(1).

    Examples
    --------
    >>> edit_distances(["kitten", "", "ab"], ["sitting", "abc", "ba"])
    array([3., 3., 2.])
    """
    one, other = _padded(left), _padded(right)
    sizes = np.array([len(text) for text in left]), np.array([len(text) for text in right])
    steps = np.arange(other.shape[1] + 1, dtype=np.int64)
    row = np.broadcast_to(steps, (len(left), len(steps))).copy()
    result: Floats = row[np.arange(len(left)), sizes[1]].astype(np.float64)
    for at in range(one.shape[1]):
        changed = row[:, :-1] + (one[:, at : at + 1] != other)
        best = np.concatenate([row[:, :1] + 1, np.minimum(changed, row[:, 1:] + 1)], axis=1)
        row = np.minimum.accumulate(best - steps, axis=1) + steps  # insertions
        ended = sizes[0] == at + 1
        result[ended] = row[ended, sizes[1][ended]]
    return result


def _padded(texts: Sequence[str]) -> NDArray[np.uint32]:
    width = max(map(len, texts), default=0)
    joined = "".join(text.ljust(width, "\x00") for text in texts)
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).reshape(len(texts), width)
