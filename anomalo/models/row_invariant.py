"""Matrix products whose result for a row does not depend on the rows beside it."""

from collections.abc import Callable

import numpy as np

from anomalo.encoding.encoded import Scores

ROWS = 1024
"""Rows are multiplied in blocks of exactly this many: a row's result cannot depend on its neighbours."""


def by_blocks(rows: Scores, result: Callable[[Scores], Scores]) -> Scores:
    """Return the results for rows [n, columns] from blocks of fixed size, the last one filled up with zeros."""
    results = []
    for start in range(0, max(1, len(rows)), ROWS):
        part = rows[start : start + ROWS]
        block = np.zeros((ROWS, rows.shape[1]))
        block[: len(part)] = part
        results.append(result(block)[: len(part)])
    return np.concatenate(results)
