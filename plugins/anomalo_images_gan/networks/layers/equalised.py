"""Equalised learning rate: weights that are scaled when they are used, not when they are drawn."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GAIN = math.sqrt(2)
"""Of layers that a leaky rectifier follows."""


class EqualisedConv2d(nn.Module):
    """A convolution whose weights have unit variance and are multiplied by gain / sqrt(inputs) in each pass.

    So Adam, whose steps do not depend on the size of a gradient, changes all layers at the same relative rate.

    Reference: Karras, Aila, Laine and Lehtinen (2018), Progressive growing of GANs for improved quality, stability, and
    variation, ICLR, section 4.1.

    Parameters
    ----------
    before, after : int
        Channels.
    size : int
        Of the kernel, odd: images keep their size.
    gain : float
        Standard deviation of the outputs of a new layer, for inputs of unit variance.
    """

    def __init__(self, before: int, after: int, size: int = 3, gain: float = GAIN) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, size, size))
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale = gain / math.sqrt(before * size**2)

    def forward(self, images: Tensor) -> Tensor:
        """Map [n, before, H, W] to [n, after, H, W]."""
        return F.conv2d(images, self.weight * self.scale, self.bias, padding=self.weight.shape[-1] // 2)


class EqualisedLinear(nn.Module):
    """A linear layer with equalised learning rate; see `EqualisedConv2d`.

    Parameters
    ----------
    before, after : int
        Widths.
    gain : float
        As for `EqualisedConv2d`.
    rate : float
        What the learning rate of this layer is multiplied by (Karras, Laine and Aila 2019, A style-based generator
        architecture for generative adversarial networks, CVPR, appendix C).
    """

    def __init__(self, before: int, after: int, gain: float = GAIN, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before) / rate)
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale, self.rate = gain / math.sqrt(before) * rate, rate

    def forward(self, features: Tensor) -> Tensor:
        """Map [n, before] to [n, after]."""
        return F.linear(features, self.weight * self.scale, self.bias * self.rate)
