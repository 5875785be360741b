"""What members are worth for these images, by trials on those that they did not learn from."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from anomalo.metrics import roc_auc
from anomalo.plugin import CanImpute, Encoded, Mask, Run, Scores
from anomalo_auto.cross_fitted_member import CrossFittedMember
from anomalo_auto.images.synthetic import with_defects

TRIED = 100
"""Training images of each fold that are tried, at most."""
AS_GOOD = 2 / 3
"""A member counts if it finds synthetic defects at least so well as the best, beyond chance."""


def heard_members(
    members: Sequence[CrossFittedMember],
    taught: Collection[str],
    data: Encoded,
    folds: NDArray[np.intp],
    run: Run,
) -> list[int]:
    """Return the numbers of the members that distinguish images from the same with a synthetic defect.

    The worth of a member is 2 A - 1, with A the AUROC of images with a defect against the same without, by the part
    that did not learn from them. One counts if it is worth at least `AS_GOOD` of the best. Members that learn to find
    such defects are not tried, and count. Without parts, or if none finds any, all count.

    Parameters
    ----------
    members : sequence of CrossFittedMember
    taught : collection of str
        The names of those that learn to find synthetic defects.
    data : Encoded [n]
        The training images.
    folds : intp [n]
    """
    tried = [number for number, member in enumerate(members) if member.name not in taught]
    rng, worth = np.random.default_rng([run.seed, 31]), np.zeros(len(members))
    clean, marred = ({number: list[Scores]() for number in tried} for _ in range(2))
    for fold in range(len(members[0].parts)):
        whole = _some(data, folds, fold, rng)
        spoilt = with_defects(whole, rng)
        for number in tried:
            clean[number].append(members[number].parts[fold].score(whole))
            marred[number].append(members[number].parts[fold].score(spoilt))
    for number in tried if members[0].parts else ():
        scores = np.concatenate([*clean[number], *marred[number]])
        worth[number] = 2 * roc_auc(np.repeat([0, 1], len(scores) // 2), scores) - 1
    best = float(worth.max())
    return [number for number in range(len(members)) if number not in tried or worth[number] >= AS_GOOD * best]


def best_filler(members: Sequence[CrossFittedMember], data: Encoded, folds: NDArray[np.intp], run: Run) -> int:
    """Return the number of the member whose parts fill rectangles of training images with the least squared error.

    Each image is filled by the part that did not learn from it. Without parts it is the first that fills, and -1 if
    none does.

    Parameters
    ----------
    members, data, folds
        As for `heard_members`.
    """
    fillers = [number for number, member in enumerate(members) if member.can(CanImpute)]
    if len(fillers) < 2 or not members[0].parts:
        return next(iter(fillers), -1)
    rng, errors = np.random.default_rng([run.seed, 29]), np.zeros(len(fillers))
    for fold in range(len(members[0].parts)):
        some = _some(data, folds, fold, rng)
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


def _some(data: Encoded, folds: NDArray[np.intp], fold: int, rng: np.random.Generator) -> Encoded:
    """Return some images of a fold."""
    return data.take(np.sort(rng.permutation(np.flatnonzero(folds == fold))[:TRIED]))
