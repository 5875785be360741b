"""Images of any size for networks that double it: the smallest size, and what is cut off or added at the edges."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST = 4
"""A network starts from images with so many pixels a side, at least."""


def channels_last(images: Tensor) -> Tensor:
    """Return images whose channels lie together in memory: convolutions then take half the time on a CPU."""
    return images.contiguous(memory_format=torch.channels_last)


class Sizes(NamedTuple):
    """How an image of some size grows: from `height` × `width`, doubled `levels` times.

    Examples
    --------
    >>> Sizes.of(28, 28), Sizes.of(12, 14), Sizes.of(3, 9)
    (Sizes(levels=2, height=7, width=7), Sizes(levels=1, height=6, width=7), Sizes(levels=0, height=3, width=9))
    """

    levels: int
    height: int
    width: int

    @classmethod
    def of(cls, height: int, width: int) -> Sizes:
        """Return the sizes for images; their last one is at least as large."""
        levels = 0
        while min(height, width) >> (levels + 1) >= SMALLEST:
            levels += 1
        return cls(levels, -(-height // 2**levels), -(-width // 2**levels))

    def at(self, level: int) -> tuple[int, int]:
        """Return height and width after so many doublings."""
        return self.height * 2**level, self.width * 2**level

    def smallest(self, features: Tensor) -> Tensor:
        """Return features [n, C * height * width] as images of the smallest size."""
        return channels_last(features.view(len(features), -1, self.height, self.width))

    def whole(self, images: Tensor) -> Tensor:
        """Return images with their edges repeated up to the last size."""
        height, width = self.at(self.levels)
        lower, right = height - images.shape[2], width - images.shape[3]
        images = F.pad(images, (0, right, 0, lower), mode="replicate") if lower or right else images
        return channels_last(images)
