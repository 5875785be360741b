"""Convolutional layers, and images of any size for networks that halve it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMALLEST = 6
"""A network halves images as long as both sides keep so many pixels."""
MOST_LEVELS = 4
"""So often, at most."""


def levels_for(height: int, width: int) -> int:
    """Return how often a network halves images of this size.

    Examples
    --------
    >>> levels_for(28, 28), levels_for(96, 128), levels_for(4, 9)
    (2, 4, 0)
    """
    levels = 0
    while min(height, width) >> (levels + 1) >= SMALLEST and levels < MOST_LEVELS:
        levels += 1
    return levels


def convolutions(before: int, after: int) -> nn.Sequential:
    """Return two 3 × 3 convolutions, each with a rectifier."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.ReLU(),
    )


def enlarged(before: int, after: int, decoder: str) -> nn.Module:
    """Return a layer that doubles the size: a transposed convolution, or the nearest pixels and a convolution.

    Reference: Zeiler, Krishnan, Taylor and Fergus (2010), Deconvolutional networks, CVPR; Odena, Dumoulin and Olah
    (2016), Deconvolution and checkerboard artifacts, Distill.
    """
    if decoder == "transposed":
        return nn.ConvTranspose2d(before, after, 2, stride=2)
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1))


def seen_image(x: Tensor, observed: Tensor) -> Tensor:
    """Return images with zeros under the mask, and the mask as one more channel, [n, C + 1, H, W]."""
    seen = observed.to(x.dtype)
    return torch.cat([x * seen, seen[:, :1]], dim=1)


def in_multiples(net: Callable[[Tensor], Tensor], images: Tensor, of: int) -> Tensor:
    """Apply a network that needs sides that are multiples of a number; others are padded with zeros, and cut again."""
    height, width = images.shape[2:]
    result = net(F.pad(images, (0, -width % of, 0, -height % of)))
    return result[:, :, :height, :width]


def rectangles(images: Tensor, share: float) -> Tensor:
    """Return masks [n, 1, H, W] with a random rectangle, up to half as high and wide, in that share of the images."""
    count, _, height, width = images.shape
    uniform = torch.rand(5, count, 1, 1, device=images.device)
    row, column = (torch.arange(size, device=images.device) for size in (height, width))
    top, left = uniform[0] * height, uniform[1] * width
    bottom, right = top + 1 + uniform[2] * height / 2, left + 1 + uniform[3] * width / 2
    inside = (row[:, None] >= top) & (row[:, None] < bottom) & (column >= left) & (column < right)
    return (inside & (uniform[4] < share))[:, None]
