"""Groups of similar images, which networks can learn in place of classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch.nn import functional as F

from anomalo.plugin import Floats, param

SIDE = 16
"""Images are reduced to at most so many pixels to a side before they are compared."""
FEWEST = 50
"""Images for each group, on average, at least: otherwise there are fewer groups, or none."""
HELP = "Groups of similar images that are learned if there are no classes; 0 for none."
NO_CENTRES = np.zeros((0, 1), dtype=np.float32)
"""Of no groups."""
STARTS = 3
"""Of k-means; the tightest groups are taken."""


@dataclass(kw_only=True)
class FromGroups:
    """Marks generators that learn groups of similar images where there are no classes, by k-means of their pixels.

    Networks that are given the group draw more kinds of images, and clearer ones, after the same time.

    References: Sage, Agustsson, Timofte and Van Gool (2018), Logo synthesis and manipulation with clustered generative
    adversarial networks, CVPR; Liu, Wang, Bau, Zhu and Torralba (2020), Diverse image generation via self-conditioned
    GANs, CVPR (where the groups are those of the critic's features, and change).
    """

    groups: int = param(32, low=0, high=1000, help=HELP)

    @property
    def most_groups(self) -> int:
        """How many groups there are at most."""
        return self.groups


def centres(features: Floats, count: int, seed: int) -> Floats:
    """Return the centres of groups of images, float32 [k, features] with k ≤ count; none where k would be below two.

    The order of the groups means nothing. Equal features [n, features] and seeds give equal centres.
    """
    count = min(count, len(features) // FEWEST)
    if count < 2:
        return NO_CENTRES
    with threadpool_limits(1):  # sums of several threads depend on which of them is first
        means = KMeans(count, n_init=STARTS, random_state=seed % 2**32).fit(features).cluster_centers_
    return np.asarray(means, dtype=np.float32)


def nearest(features: Floats, means: Floats) -> NDArray[np.int64]:
    """Return for each of the images [n, features] which centre is the nearest, [n]."""
    distances = np.square(means).sum(axis=1) - 2 * features @ means.T
    return np.asarray(distances.argmin(axis=1), dtype=np.int64)


def reduced(images: Floats) -> Floats:
    """Return the mean pixels of images [n, C, H, W] on a grid of at most `SIDE` × `SIDE`, float32 [n, features]."""
    height, width = images.shape[2:]
    grid = F.adaptive_avg_pool2d(torch.tensor(images), (min(height, SIDE), min(width, SIDE)))
    return np.asarray(grid.flatten(1).numpy())
