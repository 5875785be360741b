"""Which training rows fit the given cells of a row that is to be made."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Mask, Scores

ROWS = 256
"""Conditions that are compared with the training rows at a time."""


def matching(
    given: Encoded, values: Floats, observed: Mask, fewest: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Give rows with equal given cells, and the training rows that fit these best.

    The squared distance is summed over the given cells: of numbers in encoded units; 1 for another level, or for a cell
    that the training row does not know. All training rows that are as near as number `fewest` fit.

    Parameters
    ----------
    given : Encoded [n]
        Rows of which some cells are known.
    values, observed : [m, columns]
        The training rows.
    fewest : int
        At least so many fit, or all.

    Yields
    ------
    rows, fitting : intp
        Positions in `given`, and in the training rows, both ascending.
    """
    cells = np.where(given.observed, given.values, np.float32(np.inf))
    distinct, which = np.unique(cells, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(which.ravel()))[:-1])
    for start in range(0, len(distinct), ROWS):
        distance = _distance(distinct[start : start + ROWS], given, values, observed)
        kept = min(fewest, len(values)) - 1
        furthest = np.partition(distance, kept, axis=1)[:, kept]
        for at, limit in enumerate(furthest):
            yield groups[start + at], np.flatnonzero(distance[at] <= limit)


def _distance(cells: Floats, given: Encoded, values: Floats, observed: Mask) -> Scores:
    """Return squared distances [conditions, m]; a cell of a condition that is infinite is none."""
    total = np.zeros((len(cells), len(values)))
    for block in given.layout.blocks:
        own, at = cells[:, block.position], block.position
        known = np.isfinite(own)
        if not known.any():
            continue
        if block.kind == "number":
            apart = np.square(own[known, None].astype(np.float64) - values[:, at])
        else:
            apart = (own[known, None] != values[:, at]).astype(np.float64)
        total[known] += np.where(observed[:, at], apart, 1.0)
    return total
