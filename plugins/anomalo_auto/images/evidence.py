"""What members are worth for these images, by trials on those that they did not learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomalo.metrics import roc_auc
from anomalo.plugin import CanImpute, Encoded, Mask, Run, Scores
from anomalo_auto.cross_fitted_member import CrossFittedMember
from anomalo_auto.images.synthetic import with_defects

TRIED = 100
"""Training images of each fold that are tried, at most."""


def weights_of(members: Sequence[CrossFittedMember], data: Encoded, folds: NDArray[np.intp], run: Run) -> Scores:
    """Return the members' weights, float64 [members], which sum to 1: how well each finds synthetic defects.

    A weight is proportional to 2 A - 1, with A the AUROC of images with a defect against the same without, by the part
    that did not learn from them; 0 if it is no better than chance. Without parts, or if all are, they are equal.

    Parameters
    ----------
    members : sequence of CrossFittedMember
    data : Encoded [n]
        The training images.
    folds : intp [n]
    """
    rng, count = np.random.default_rng([run.seed, 31]), len(members[0].parts)
    clean, marred = ([list[Scores]() for _ in members] for _ in range(2))
    for fold in range(count):
        whole = _some(data, folds, fold, rng)
        spoilt = with_defects(whole, rng)
        for at, member in enumerate(members):
            clean[at].append(member.parts[fold].score(whole))
            marred[at].append(member.parts[fold].score(spoilt))
    pairs = [(np.concatenate(a), np.concatenate(b)) for a, b in zip(clean, marred, strict=True)] if count else []
    found = [roc_auc(np.repeat([0, 1], [len(a), len(b)]), np.concatenate([a, b])) for a, b in pairs]
    worth = np.maximum(2 * np.array(found or [1.0] * len(members)) - 1, 0)
    return np.asarray(worth / worth.sum() if worth.sum() > 0 else np.full(len(members), 1 / len(members)))


def best_filler(members: Sequence[CrossFittedMember], data: Encoded, folds: NDArray[np.intp], run: Run) -> int:
    """Return the number of the member whose parts fill rectangles of training images with the least squared error.

    Each image is filled by the part that did not learn from it. Without parts it is the first that fills, and -1 if
    none does.

    Parameters
    ----------
    members, data, folds
        As for `weights_of`.
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
