"""Convolutional layers, and images of any size for networks that halve it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMALLEST = 6
"""A network halves images as long as both sides keep so many pixels."""
MOST_LEVELS = 4
"""So often, at most."""


REACH = 7
"""The surroundings of a pixel reach so many pixels to each side."""
LEAST = 0.1
"""Deviations below this, in encoded units, are not enlarged further: they are noise."""


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


def initialise(net: nn.Module) -> None:
    """Draw the weights of all convolutions so that deep layers with rectifiers keep the size of signals.

    Reference: He, Zhang, Ren and Sun (2015), Delving deep into rectifiers, ICCV.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(cast("Tensor", module.bias))


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


def channels_last(images: Tensor) -> Tensor:
    """Return images whose channels lie together in memory: convolutions then take half the time on a CPU.

    Weights stay as they are, since their order in memory would not be that of a saved state of the optimiser.
    """
    return images.contiguous(memory_format=torch.channels_last)


def seen_image(x: Tensor, observed: Tensor) -> Tensor:
    """Return images with zeros under the mask, and the mask as one more channel, [n, C + 1, H, W]."""
    seen = observed.to(x.dtype)
    return torch.cat([x * seen, seen[:, :1]], dim=1)


def local_contrast(x: Tensor, observed: Tensor) -> Tensor:
    """Return images as deviations from the mean of the surroundings, in units of those there; 0 under the mask.

    Reference: Jarrett, Kavukcuoglu, Ranzato and LeCun (2009), What is the best multi-stage architecture for object
    recognition? ICCV, section 2.1; with a square as the surroundings.
    """
    seen = observed.to(x.dtype)
    share = around(seen).clamp(min=1e-3)
    difference = (x - around(x * seen) / share) * seen
    return difference / (around(difference.square()) / share + LEAST**2).sqrt()


def around(values: Tensor) -> Tensor:
    """Return the mean of the square of surroundings of each pixel, with zeros beyond the image, by rows and columns."""
    rows = F.avg_pool2d(values, (2 * REACH + 1, 1), stride=1, padding=(REACH, 0))
    return F.avg_pool2d(rows, (1, 2 * REACH + 1), stride=1, padding=(0, REACH))


def in_multiples(net: Callable[[Tensor], Tensor], images: Tensor, of: int) -> Tensor:
    """Apply a network that needs sides that are multiples of a number; others are padded with zeros, and cut again."""
    height, width = images.shape[2:]
    result = net(F.pad(images, (0, -width % of, 0, -height % of)))
    return result[:, :, :height, :width]


def rectangles(images: Tensor, share: float) -> Tensor:
    """Return masks [n, 1, H, W] with a random rectangle in that share of the images.

    It is from an eighth to half as high and wide as the image; where it lies, all positions inside are alike.
    """
    count, _, height, width = images.shape
    uniform = torch.rand(5, count, 1, 1, device=images.device)
    row, column = (torch.arange(size, device=images.device) for size in (height, width))
    high, wide = height * (1 + 3 * uniform[2]) / 8, width * (1 + 3 * uniform[3]) / 8
    top, left = uniform[0] * (height - high), uniform[1] * (width - wide)
    bottom, right = top + high, left + wide
    inside = (row[:, None] >= top) & (row[:, None] < bottom) & (column >= left) & (column < right)
    return (inside & (uniform[4] < share))[:, None]
