"""What `explain` needs of the dense matrix: each column's part of it, and the way back to encoded values."""

import numpy as np

from anomalo.plugin import FIRST_LEVEL, Block, Dense, Encoded, Scores


def parts(data: Encoded, dense: Dense) -> list[slice]:
    """Return where each column of the table stands in the dense matrix; nowhere for a category of one level."""
    columns = [block.position for block in data.layout.blocks]
    starts, ends = (np.searchsorted(dense.position, columns, side) for side in ("left", "right"))
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def encoded_value(block: Block, mean: Scores) -> Scores:
    """Turn a cell's mean over its part of the dense matrix, [n, width], into encoded values [n].

    For a category it is the code of the level with the largest mean, the first among equals; levels without a dense
    column are never expected.
    """
    levels = mean.shape[1] - (block.missing > 0)
    if block.kind == "number":
        return mean[:, 0]
    if not levels:
        return np.full(len(mean), float(FIRST_LEVEL))
    codes: Scores = np.argmax(mean[:, :levels], axis=1).astype(np.float64) + FIRST_LEVEL
    return codes


def shared(score: Scores, drops: Scores) -> Scores:
    """Share out scores [n] in proportion to drops [n, columns], or equally where no column makes a difference."""
    total = drops.sum(axis=1, keepdims=True)
    equal = np.full(drops.shape, 1 / max(1, drops.shape[1]))
    contribution: Scores = score[:, None] * np.divide(drops, total, out=equal, where=total > 0)
    return contribution
