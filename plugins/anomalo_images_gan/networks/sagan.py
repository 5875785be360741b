"""The networks of the self-attention GAN."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import MinibatchDeviation
from anomalo_images_gan.networks.layers.conditional_norm import ConditionalBatchNorm
from anomalo_images_gan.networks.layers.self_attention import SelfAttention
from anomalo_images_gan.networks.layers.sizes import Sizes
from anomalo_images_gan.networks.layers.spectral import ProjectionHead, spectral

WIDEST = 4
"""The channels grow to so many times those at full size, at most."""


def channels(width: int, levels: int) -> list[int]:
    """Return the channels at each size, from the smallest one to the images' own.

    Examples
    --------
    >>> channels(16, 3)
    [64, 64, 32, 16]
    """
    return [width * min(2 ** (levels - level), WIDEST) for level in range(levels + 1)]


class SaganGenerator(nn.Module):
    """Transposed convolutions with spectral normalisation, batch normalisation given the label, and attention.

    Attention is at the last size but one, where pixels are few enough to compare all pairs.

    Reference: Zhang, Goodfellow, Metaxas and Odena (2019), Self-attention generative adversarial networks, ICML.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    noise, width : int
        Width of the noise, and channels at full size.
    classes : int
        Labels; 0 if there are none.
    """

    def __init__(self, shape: tuple[int, ...], noise: int, width: int, classes: int = 0) -> None:
        super().__init__()
        colours, *size = shape
        self.size, self.sizes = tuple(size), Sizes.of(*size)
        widths = channels(width, self.sizes.levels)
        self.embedding = nn.Embedding(classes, noise) if classes else None
        condition = noise if classes else 0
        self.input = spectral(nn.Linear(noise, widths[0] * self.sizes.height * self.sizes.width))
        self.norms = nn.ModuleList(ConditionalBatchNorm(one, condition) for one in widths)
        self.up = nn.ModuleList(
            spectral(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1))
            for before, after in itertools.pairwise(widths)
        )
        self.attention_at = max(self.sizes.levels - 1, 0)
        self.attention = SelfAttention(widths[self.attention_at], spectral)
        self.output = spectral(nn.Conv2d(widths[-1], colours, 3, padding=1))

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [n, C, H, W] in [-1, 1] of noise [n, noise] and labels [n]."""
        condition = None if self.embedding is None or labels is None else self.embedding(labels)
        images = self.sizes.smallest(self.input(noise))
        for level, norm in enumerate(self.norms):
            images = F.relu(norm(images if level == 0 else self.up[level - 1](images), condition))
            if level == self.attention_at:
                images = self.attention(images)
        height, width = self.size
        return torch.tanh(self.output(images))[:, :, :height, :width]


class SaganDiscriminator(nn.Module):
    """Convolutions with stride and spectral normalisation, attention at half size, and a projection of the label.

    It also sees the deviation within a batch, where there are labels that among images of the same one.

    Reference: as for `SaganGenerator`.

    Parameters
    ----------
    shape, width, classes
        As for `SaganGenerator`.
    """

    def __init__(self, shape: tuple[int, ...], width: int, classes: int = 0) -> None:
        super().__init__()
        colours, *size = shape
        self.sizes = Sizes.of(*size)
        widths = channels(width, self.sizes.levels)[::-1]
        self.input = spectral(nn.Conv2d(colours, widths[0], 3, padding=1))
        self.down = nn.ModuleList(
            spectral(nn.Conv2d(before, after, 4, stride=2, padding=1)) for before, after in itertools.pairwise(widths)
        )
        self.attention_at = min(1, self.sizes.levels)
        self.attention = SelfAttention(widths[self.attention_at], spectral)
        self.classes, self.deviation = classes, MinibatchDeviation()
        self.head = ProjectionHead(widths[-1] + 1, classes)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [n] of images [n, C, H, W] and labels [n]."""
        hidden = F.leaky_relu(self.input(self.sizes.whole(images)), 0.1)
        for level in range(self.sizes.levels + 1):
            hidden = hidden if level == 0 else F.leaky_relu(self.down[level - 1](hidden), 0.1)
            if level == self.attention_at:
                hidden = self.attention(hidden)
        hidden = self.deviation(hidden, labels if self.classes else None)
        logits: Tensor = self.head(hidden.sum(dim=(2, 3)), labels)
        return logits
