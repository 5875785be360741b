"""How far rows of numbers and categories are from others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import MISSING, UNSEEN, Encoded, Floats, Mask
from anomalo.encoding.layout import Block

AT_ONCE = 128
"""So many rows are compared with all others at a time: what that takes stays in the cache."""


def mixed_distances(rows: Encoded, others: Encoded) -> Floats:
    """Return Gower's distance of each row from each of the others, float32 [n, m] from 0 to 1.

    It is the mean over the row's cells: of numbers the difference as a part of the column's range in training, at most
    1; of categories whether they differ. Labels are left out, and points in time, for which there is what derives from
    them; so are cells that the row lacks. A cell that only the other row lacks counts as different: else rows with few
    cells would be near to all.

    Reference: Gower (1971), A general coefficient of similarity and some of its properties, Biometrics 27.

    Parameters
    ----------
    rows, others : Encoded [n], Encoded [m]
        Rows of tables, of one layout.
    """
    pairs = [(rows, others)]
    if rows.derived is not None and others.derived is not None:
        pairs.append((rows.derived, others.derived))
    found = np.zeros((len(rows), len(others)), dtype=np.float32)
    cells = np.zeros(len(rows), dtype=np.float32)
    for mine, theirs in pairs:
        for block in _compared(mine):
            _add(found, cells, block, mine, theirs)
    found /= np.maximum(cells, np.float32(1))[:, None]
    return found


def _compared(data: Encoded) -> Iterator[Block]:
    """Yield the blocks that distinguish rows."""
    for block in data.layout.blocks:
        if not block.label and not block.moment and (block.kind == "category" or block.high > block.low):
            yield block


def _add(found: Floats, cells: Floats, block: Block, mine: Encoded, theirs: Encoded) -> None:
    """Add the distances in one column to the sums [n, m], and count the cells that rows have [n]."""
    first, there = mine.values[:, block.position], _there(mine, block)
    second = theirs.values[:, block.position].astype(np.float32)
    if block.kind == "number":
        scale = np.float32(1 / (block.high - block.low))
        first, second = first * scale, second * scale
        second[~_there(theirs, block)] = np.inf
    else:
        second[second == UNSEEN] = -1  # which level that is, is not known
    cells += there
    distance = np.empty((min(AT_ONCE, len(first)), len(second)), dtype=np.float32)
    for start in range(0, len(first), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        here = distance[: len(first[part])]
        if block.kind == "number":
            np.subtract(first[part, None], second, out=here)
            np.abs(here, out=here)
            np.minimum(here, 1, out=here)
        else:
            np.not_equal(first[part, None], second, out=here)
        here[~there[part]] = 0
        found[part] += here


def _there(data: Encoded, block: Block) -> Mask:
    """Return which rows have a cell: also of an unseen level, but not one that cannot be read."""
    observed: NDArray[np.bool_] = data.observed[:, block.position]
    if block.kind == "number":
        return observed
    there: Mask = observed | (data.values[:, block.position] != MISSING)
    return there
