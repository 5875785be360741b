"""Matrix products whose result for a row does not depend on the rows beside it."""

from collections.abc import Callable

import numpy as np

from anomalo.encoding.encoded import Scores

ROW_BLOCK = 1024
"""Rows are multiplied in blocks of exactly this many: a row's result cannot depend on its neighbours."""


def in_row_blocks(rows: Scores, result: Callable[[Scores], Scores], size: int = ROW_BLOCK) -> Scores:
    """Return the results for rows [n, columns] from blocks of a fixed size, the last one filled up with zeros."""
    results = []
    for start in range(0, max(1, len(rows)), size):
        part = rows[start : start + size]
        block = np.zeros((size, rows.shape[1]))
        block[: len(part)] = part
        results.append(result(block)[: len(part)])
    return np.concatenate(results)
