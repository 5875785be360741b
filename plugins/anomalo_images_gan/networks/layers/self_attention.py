"""Self-attention over the pixels of an image, beside convolutions that only see what is near."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def unchanged(layer: nn.Module) -> nn.Module:
    """Return the layer itself: no normalisation of its weights."""
    return layer


class SelfAttention(nn.Module):
    """x + g o, where o is the mean of all pixels' values, weighted by softmax of f(x)' h(x); g is 0 at first.

    Without positions it is equivariant to a permutation of the pixels.

    Reference: Zhang, Goodfellow, Metaxas and Odena (2019), Self-attention generative adversarial networks, ICML.

    Parameters
    ----------
    channels : int
        Of the images.
    normalise : callable
        Applied to each layer, such as spectral normalisation.
    """

    def __init__(self, channels: int, normalise: Callable[[nn.Module], nn.Module] = unchanged) -> None:
        super().__init__()
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.query = normalise(nn.Conv2d(channels, narrow, 1, bias=False))
        self.key = normalise(nn.Conv2d(channels, narrow, 1, bias=False))
        self.value = normalise(nn.Conv2d(channels, half, 1, bias=False))
        self.output = normalise(nn.Conv2d(half, channels, 1, bias=False))
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        """Map [n, C, H, W] to [n, C, H, W]."""
        query, key, value = (layer(images).flatten(2) for layer in (self.query, self.key, self.value))
        weight = torch.softmax(query.transpose(1, 2) @ key, dim=2)  # (n, pixels, pixels)
        mean = (value @ weight.transpose(1, 2)).unflatten(2, images.shape[2:])
        attended: Tensor = images + self.gain * self.output(mean)
        return attended
