"""Progressive growing: how far a network has grown, and the fade-in of its newest layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def enlarged(images: Tensor, times: int = 2) -> Tensor:
    """Return images so many times as high and wide, each pixel repeated."""
    return images if times == 1 else F.interpolate(images, scale_factor=times, mode="nearest")


def reduced(images: Tensor, times: int = 2) -> Tensor:
    """Return the means of squares of so many pixels a side."""
    return images if times == 1 else F.avg_pool2d(images, times)


def level_and_share(grown: float) -> tuple[int, float]:
    """Return the level that a network has grown to, and the share of its newest layers: 1.25 is level 2 to a quarter.

    Examples
    --------
    >>> level_and_share(0.0), level_and_share(1.25), level_and_share(2.0)
    ((0, 1.0), (2, 0.25), (2, 1.0))
    """
    level = math.ceil(grown)
    return level, 1.0 - (level - grown)


def level_at(progress: float, levels: int, growing: float) -> float:
    """Return how far a network has grown at some progress of training, each from 0 to 1 and from 0 to `levels`.

    It grows in the first part, `growing`, of training: in equal times the smallest size is trained, the layers of the
    next one fade in, are trained, and so on.

    Examples
    --------
    >>> [round(level_at(progress, 2, 0.8), 3) for progress in (0.0, 0.3, 0.4, 0.7, 0.9)]
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    if progress >= growing:
        return float(levels)
    at, within = divmod(progress / growing * 2 * levels, 2)
    return at + max(within - 1, 0.0)


def fade_in(smaller: Tensor, larger: Tensor, share: float) -> Tensor:
    """Return (1 - share) smaller + share larger; at 0 and at 1 exactly one of them.

    Reference: Karras, Aila, Laine and Lehtinen (2018), Progressive growing of GANs for improved quality, stability, and
    variation, ICLR, section 2.
    """
    return torch.lerp(smaller, larger, share)
