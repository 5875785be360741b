"""Attribution of scores to cells: parts of the dense matrix, and encoded values of means."""

import numpy as np

from anomalo.plugin import FIRST_LEVEL, Block, Dense, Encoded, Scores


def dense_parts(data: Encoded, dense: Dense) -> list[slice]:
    """Return the columns of the dense matrix of each column of the table; none for a category of one level."""
    columns = [block.position for block in data.layout.blocks]
    starts, ends = (np.searchsorted(dense.position, columns, side) for side in ("left", "right"))
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def encoded_value(block: Block, mean: Scores) -> Scores:
    """Return the encoded values [n] of means of a cell's part of the dense matrix, [n, width].

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
