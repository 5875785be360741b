"""A U-Net: down to small sizes and up again, with a path across at each size."""

from __future__ import annotations

import itertools
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_images.networks.image_network import ImageNet
from anomalo_images.networks.layers import (
    channels_last,
    convolutions,
    in_multiples,
    initialise,
    levels_for,
    local_contrast,
    seen_image,
)

PATCHED = 64
"""An image whose smaller side has so many pixels is taken in squares of 2 × 2 pixels, which cost a quarter."""
RARE = -4.0
"""The log odds of a defect with which training starts."""
WIDEST = 4
"""The channels grow to so many times those at full size, at most."""


class UNet(ImageNet):
    """A network that finds defects and undoes them; it sees local contrasts beside the pixels.

    References: Ronneberger, Fischer and Brox (2015), U-Net: convolutional networks for biomedical image segmentation,
    MICCAI; Shi et al. (2016), Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network, CVPR, for pixels as channels.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    width : int
        Channels at the largest size; each halving doubles them, up to `WIDEST` times as many.
    """

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.colours, height, across = shape
        self.patch = 2 if min(height, across) >= PATCHED else 1
        levels = levels_for(height // self.patch, across // self.patch)
        widths = [width * min(2**level, WIDEST) for level in range(levels + 1)]
        self.of = self.patch * 2**levels
        first = (2 * self.colours + 1) * self.patch**2
        self.down = nn.ModuleList(
            convolutions(before, after) for before, after in zip([first, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(convolutions(large + small, large) for large, small in itertools.pairwise(widths))
        self.heads = nn.Conv2d(widths[0], (self.colours + 1) * self.patch**2, 1)
        initialise(self)
        nn.init.zeros_(self.heads.weight)
        # From log odds of 0 all features learn to speak against a defect, which is rare, and are rectified away at one.
        nn.init.constant_(cast("Tensor", self.heads.bias)[self.colours * self.patch**2 :], RARE)

    def both(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images without defects, and the log odds of a defect at each pixel, [n, 1, H, W]."""
        seen = seen_image(x, observed)
        found = in_multiples(self._through, torch.cat([seen, local_contrast(x, observed)], dim=1), self.of)
        return seen[:, : self.colours] + found[:, : self.colours], found[:, self.colours :]

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the images without defects."""
        return self.both(x, observed)[0]

    def _through(self, images: Tensor) -> Tensor:
        images = channels_last(F.pixel_unshuffle(images, self.patch))
        across: list[Tensor] = []
        for level, layers in enumerate(self.down):
            images = layers(images if level == 0 else F.max_pool2d(images, 2))
            across.append(images)
        images = across.pop()
        for layers in reversed(self.up):
            larger = F.interpolate(images, scale_factor=2, mode="nearest")
            images = layers(torch.cat([across.pop(), larger], dim=1))
        return F.pixel_shuffle(self.heads(images), self.patch)
