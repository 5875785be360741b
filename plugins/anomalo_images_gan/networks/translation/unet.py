"""The U-Net that translates an image, with a path across at each size."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_images_gan.networks.layers.sizes import Sizes
from anomalo_images_gan.networks.sagan import channels


class TranslatingUNet(nn.Module):
    """Down to the smallest size and up again; dropout stands for noise, in training alone.

    Reference: Isola, Zhu, Zhou and Efros (2017), Image-to-image translation with conditional adversarial networks,
    CVPR, section 3.2.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images of both domains.
    width : int
        Channels at full size.
    """

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        super().__init__()
        colours, *size = shape
        self.size, self.sizes = tuple(size), Sizes.of(*size)
        widths = channels(width, self.sizes.levels)[::-1]
        self.input = nn.Conv2d(colours, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 4, stride=2, padding=1), normal(after), nn.LeakyReLU(0.2))
            for before, after in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(large + small, large, 3, padding=1), normal(large), nn.ReLU())
            for large, small in itertools.pairwise(widths)
        )
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Conv2d(widths[0], colours, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map [n, C, H, W] to images of the other domain, in [-1, 1]."""
        hidden = F.leaky_relu(self.input(self.sizes.whole(images)), 0.2)
        across: list[Tensor] = []
        for layers in self.down:
            across.append(hidden)
            hidden = layers(hidden)
        hidden = self.dropout(hidden)
        for layers in reversed(self.up):
            larger = F.interpolate(hidden, scale_factor=2, mode="nearest")
            hidden = layers(torch.cat([across.pop(), larger], dim=1))
        height, width = self.size
        return torch.tanh(self.output(hidden))[:, :, :height, :width]


def normal(channels: int) -> nn.Module:
    """Return instance normalisation with a learned scale and shift: an image's result is its own, in any batch.

    Reference: Ulyanov, Vedaldi and Lempitsky (2016), Instance normalization: the missing ingredient for fast
    stylization, arXiv:1607.08022.
    """
    return nn.GroupNorm(channels, channels)
