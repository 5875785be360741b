"""Deep convolutional generators and critics, without pooling."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMALLEST = 4
"""Images are halved as long as both sides keep so many pixels."""
NEGATIVE_SLOPE = 0.2
"""Of the leaky rectifiers."""
WEIGHT_SCALE = 0.02
"""Standard deviation of the weights at the start."""


def halvings(height: int, width: int) -> int:
    """Return how often images of this size are halved, and noise is doubled to reach it.

    Examples
    --------
    >>> halvings(28, 28), halvings(32, 32), halvings(12, 14)
    (2, 3, 1)
    """
    count = 0
    while min(height, width) >> (count + 1) >= SMALLEST:
        count += 1
    return count


def small_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width after all halvings, rounded up."""
    of = 2 ** halvings(*shape[1:])
    return -(-shape[1] // of), -(-shape[2] // of)


def padded(images: Tensor) -> Tensor:
    """Return images whose sides can be halved without a rest; the edge is repeated. Channels lie together."""
    height, width = images.shape[2:]
    of = 2 ** halvings(height, width)
    if height % of or width % of:
        images = F.pad(images, (0, -width % of, 0, -height % of), mode="replicate")
    return images.contiguous(memory_format=torch.channels_last)


def initialise(net: nn.Module) -> None:
    """Draw the weights of all convolutions from a normal distribution; those of normalisations are around 1."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, WEIGHT_SCALE)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, WEIGHT_SCALE)


class ConvolutionalGenerator(nn.Module):
    """Transposed convolutions from noise to images, with batch normalisation, rectifiers and a tanh at the end.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    noise, width : int
        Of the noise, and channels before the last layer; each halving doubles them.
    classes : int
        With some, the label is one more input, one-hot.
    """

    def __init__(self, shape: tuple[int, ...], noise: int, width: int, classes: int = 0) -> None:
        super().__init__()
        self.size, self.classes, levels = shape[1:], classes, halvings(*shape[1:])
        widths = [width << level for level in reversed(range(max(levels, 1)))]
        first = nn.ConvTranspose2d(noise + classes, widths[0], small_size(shape), bias=False)
        layers: list[nn.Module] = [first, nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for before, after in itertools.pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        doubling = (4, 2, 1) if levels else (3, 1, 1)
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], shape[0], *doubling), nn.Tanh())
        initialise(self)

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [n, C, H, W] from -1 to 1."""
        if self.classes and labels is not None:
            noise = torch.cat([noise, F.one_hot(labels, self.classes).to(noise.dtype)], dim=1)
        images: Tensor = self.layers(noise[:, :, None, None].contiguous(memory_format=torch.channels_last))
        return images[:, :, : self.size[0], : self.size[1]]


class ConvolutionalCritic(nn.Module):
    """Strided convolutions from images to a logit, with leaky rectifiers; no batch normalisation in the first layer.

    Parameters
    ----------
    shape, width, classes
        As of `ConvolutionalGenerator`; labels are one constant channel for each class. What the first layer makes of
        those is computed once for each class, not for each image.
    normalise : callable
        Makes the normalisation of a layer from its channels; `nn.Identity` for none.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int,
        classes: int = 0,
        normalise: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        self.classes, levels = classes, halvings(*shape[1:])
        step = (4, 2, 1) if levels else (3, 1, 1)
        layers: list[nn.Module] = [nn.Conv2d(shape[0] + classes, width, *step), nn.LeakyReLU(NEGATIVE_SLOPE)]
        for level in range(1, levels):
            before, after = width << (level - 1), width << level
            convolution = nn.Conv2d(before, after, 4, 2, 1, bias=normalise is nn.Identity)
            layers += [convolution, normalise(after), nn.LeakyReLU(NEGATIVE_SLOPE)]
        top = width << max(levels - 1, 0)
        self.features = nn.Sequential(*layers)
        self.output = nn.Conv2d(top, 1, small_size(shape))
        initialise(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [n]."""
        logits: Tensor = self.output(self.features[1:](self._first(padded(images), labels)))
        return logits.flatten()

    def _first(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Return what the first convolution makes of the images and of the constant channels of their labels."""
        layer, channels = cast(nn.Conv2d, self.features[0]), images.shape[1]
        found = F.conv2d(images, layer.weight[:, :channels], layer.bias, layer.stride, layer.padding)
        if not self.classes or labels is None:
            return found
        maps = constant_maps(layer, self.classes, found.shape[2:])
        shown = F.one_hot(labels, self.classes).to(maps.dtype) @ maps.flatten(1)
        return found + shown.view(found.shape)


def constant_maps(layer: nn.Conv2d, count: int, size: Sequence[int]) -> Tensor:
    """Return what a convolution makes of images of ones in one of its last `count` channels: [count, c, H, W].

    All pixels are alike but those at the edges, so that three in a row are enough to make `size` of them.
    """
    weight, sides = layer.weight[:, -count:], [min(side, 3) for side in size]
    ones = torch.eye(count, dtype=weight.dtype, device=weight.device)[:, :, None, None]
    ones = ones.expand(-1, -1, *(layer.stride[0] * side for side in sides))
    maps = F.conv2d(ones, weight, None, layer.stride, layer.padding)
    for axis, (side, had) in enumerate(zip(size, sides, strict=True), start=2):
        taken = torch.arange(side, device=weight.device).clamp(max=1)
        taken[-1] = had - 1
        maps = maps.index_select(axis, taken)
    return maps
