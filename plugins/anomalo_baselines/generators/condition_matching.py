"""Search for the training rows that match the given cells of a synthetic row best."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Mask, Scores

ROWS = 256
"""Conditions that are compared with the training rows at a time."""


def matching_rows(
    given: Encoded, values: Floats, observed: Mask, fewest: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield rows with equal given cells, and the training rows that match these best.

    The squared distance is summed over the given cells: of numbers in encoded units; 1 for another level, or for a cell
    that is missing in the training row. All training rows that are as near as number `fewest` match.

    Parameters
    ----------
    given : Encoded [n]
        Rows in which the given cells are observed.
    values, observed : [m, columns]
        The training rows.
    fewest : int
        At least this many match, or all.

    Yields
    ------
    rows, matches : intp
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
    """Return squared distances [conditions, m]; an infinite cell of a condition is not given."""
    total = np.zeros((len(cells), len(values)))
    for block in given.layout.blocks:
        given_cells, at = cells[:, block.position], block.position
        known = np.isfinite(given_cells)
        if not known.any():
            continue
        if block.kind == "number":
            apart = np.square(given_cells[known, None].astype(np.float64) - values[:, at])
        else:
            apart = (given_cells[known, None] != values[:, at]).astype(np.float64)
        total[known] += np.where(observed[:, at], apart, 1.0)
    return total
