"""Which member fills hidden pixels best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import CanImpute, Encoded, Mask, Run
from anomalo_auto.cross_fitted_member import CrossFittedMember

TRIED = 60
"""Training images of each fold in which a rectangle is hidden, at most."""


def best_filler(members: Sequence[CrossFittedMember], data: Encoded, folds: NDArray[np.intp], run: Run) -> int:
    """Return the number of the member whose parts fill rectangles of training images with the least squared error.

    Each image is filled by the part that did not learn from it. Without parts it is the first that fills, and -1 if
    none does.

    Parameters
    ----------
    members : sequence of CrossFittedMember
    data : Encoded [n]
        The training images.
    folds : intp [n]
    """
    fillers = [number for number, member in enumerate(members) if member.can(CanImpute)]
    if len(fillers) < 2 or not members[0].parts:
        return next(iter(fillers), -1)
    rng = np.random.default_rng([run.seed, 29])
    errors = np.zeros(len(fillers))
    for fold in range(len(members[0].parts)):
        some = data.take(np.sort(rng.permutation(np.flatnonzero(folds == fold))[:TRIED]))
        hidden = rectangles(some.values.shape, rng) & some.observed
        for at, number in enumerate(fillers):
            filled = members[number].parts[fold].impute(some.hide(hidden)).point
            errors[at] += np.square((filled - some.values)[hidden], dtype=np.float64).sum()
    return fillers[int(errors.argmin())]


def rectangles(shape: tuple[int, ...], rng: np.random.Generator) -> Mask:
    """Return masks [n, C, H, W] of a random rectangle, a quarter to a half as high and wide as the image, in each."""
    count, colours, height, width = shape
    row, column = np.arange(height)[:, None], np.arange(width)[None, :]
    found = np.zeros((count, height, width), dtype=np.bool_)
    for one in found:
        high, wide = (max(1, int(side * rng.uniform(0.25, 0.5))) for side in (height, width))
        top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
        one[...] = (row >= top) & (row < top + high) & (column >= left) & (column < left + wide)
    return np.repeat(found[:, None], colours, axis=1)
