"""Folds of series: stretches of time, and the rows beside them that would give them away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.models.folds import STRETCHES

APART = 4
"""A stretch of a fold has at least so many times the points of a window."""

Indices = NDArray[np.intp]


def stretches(rows: int, count: int, width: int) -> Indices:
    """Assign each row, in the order of time, one of `count` folds, [rows]; each consists of a few stretches.

    Examples
    --------
    >>> stretches(16, 2, 1).tolist()
    [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    """
    count = max(1, min(count, rows))
    parts = count * max(1, min(STRETCHES, rows // (count * APART * max(width, 1))))
    return np.asarray(np.arange(rows) * parts // max(rows, 1) % count, dtype=np.intp)


def apart(data: Encoded, others: Indices, held: Indices) -> Indices:
    """Return which of the rows `others` a model may learn from that scores the rows `held`.

    Of a series they are those whose windows share no point with the windows that decide on theirs: neighbours are
    alike, and windows that overlap are nearly the same.

    Reference: Racine (2000), Consistent cross-validatory model-selection for dependent data: hv-block cross-validation,
    Journal of Econometrics 99.
    """
    if data.positions is None or not len(held):
        return others
    reach = data.positions.width * (2 if data.positions.averaged else 1)
    at, of_held = data.positions.at[others], np.sort(data.positions.at[held])
    after = np.searchsorted(of_held, at)
    behind = at - of_held[np.maximum(after - 1, 0)]
    ahead = of_held[np.minimum(after, len(held) - 1)] - at
    kept = others[np.minimum(np.abs(behind), np.abs(ahead)) >= reach]
    return kept if len(kept) else others
