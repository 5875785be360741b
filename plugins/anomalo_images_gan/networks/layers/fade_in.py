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


def fade_in(smaller: Tensor, larger: Tensor, share: float) -> Tensor:
    """Return (1 - share) smaller + share larger; at 0 and at 1 exactly one of them.

    Reference: Karras, Aila, Laine and Lehtinen (2018), Progressive growing of GANs for improved quality, stability, and
    variation, ICLR, section 2.
    """
    return torch.lerp(smaller, larger, share)
