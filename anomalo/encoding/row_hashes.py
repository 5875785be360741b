"""Hashes of rows by their content."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 2048
"""Rows that are hashed at a time: so many stay in the processor's cache."""

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.float32]
START = 0x9E3779B97F4A7C15


def row_hashes(values: Numbers, seen: NDArray[np.bool_], rules: Numbers | None, texts: Numbers | None) -> Hashes:
    """Return a hash of each row, uint64 [n]; see `Encoded.hashes`.

    Parameters
    ----------
    values, seen : float32, bool [n, cells]
        A row's cells, and which are observed.
    rules : float32 [n, cells] or None
        The surprisal of broken rules.
    texts : float32 [n, columns of text] or None
        The surprisal of texts.

    Reference: multilinear hashing, Lemire and Kaser (2014), Strongly universal string hashing is fast, The Computer
    Journal 57.
    """
    cells = values.shape[1]
    size = cells + (0 if texts is None else texts.shape[1])
    keys = np.random.Generator(np.random.Philox(0)).integers(1, 2**64, size=(size, 2), dtype=np.uint64)
    total = np.empty(len(values), dtype=np.uint64)
    for start in range(0, len(values), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        total[part] = _of_cells(values[part], seen[part], keys[:cells])
    for extra, mine in ((rules, keys[:cells]), (texts, keys[cells:])):
        if extra is not None:  # rows may differ in it alone: rare levels share a code
            bits = np.ascontiguousarray(extra).view(np.uint32).reshape(len(values), len(mine)) * mine[:, 0]
            total += bits.sum(axis=1, dtype=np.uint64)
    return total ^ (total >> np.uint64(32))


def _of_cells(values: Numbers, seen: NDArray[np.bool_], keys: Hashes) -> Hashes:
    """Return the sums [n] of (each cell's bits + 1) times the column's first key, and the second one where it is seen.

    What is the same for all rows is added once.
    """
    flat = np.ascontiguousarray(values.T + np.float32(0)).view(np.uint32)
    flat ^= flat >> np.uint32(16)  # codes and whole numbers end in zeros, which would leave the low bits unused
    whole = bool(seen.all())
    first, second = (sum(each) for each in keys.T.tolist()) if len(keys) else (0, 0)
    total = np.full(len(values), (START + first + whole * second) % 2**64, dtype=np.uint64)
    for column, (key, mask_key) in enumerate(keys):
        total += flat[column] * key
        if not whole:
            total += seen[:, column] * mask_key
    return total
