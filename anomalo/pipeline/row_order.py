"""The order of training rows: by content, so that what a model learns does not depend on the order of the table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded


def by_content(data: Encoded) -> NDArray[np.intp]:
    """Return the rows' numbers, ordered by the hashes of their content and their classes, [n]; points by their time.

    Sums of floating-point numbers, samples, folds, batches and the first of equals follow the order of the rows. Rows
    whose order is left to chance are equal. The order has no meaning: it is as good as a random one.

    Examples
    --------
    >>> from anomalo.encoding.encoded import Block, Layout
    >>> layout = Layout("table", (1,), (Block("size", "number", 0),))
    >>> rows = np.arange(4, dtype=np.float32)[:, None]
    >>> a, b = (Encoded(some, np.ones((4, 1), dtype=bool), layout) for some in (rows, rows[::-1]))
    >>> bool((a.values[by_content(a)] == b.values[by_content(b)]).all())
    True
    """
    if data.positions is not None:
        return np.argsort(data.positions.at, kind="stable")
    hashes = data.hashes()
    return np.lexsort((hashes,) if data.target is None else (data.target, hashes))
