"""The networks of BigGAN, small."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import MinibatchDeviation
from anomalo_images_gan.networks.layers.residual import DownBlock, UpBlock
from anomalo_images_gan.networks.layers.self_attention import SelfAttention
from anomalo_images_gan.networks.layers.sizes import Sizes
from anomalo_images_gan.networks.layers.spectral import ProjectionHead, spectral
from anomalo_images_gan.networks.layers.truncation import truncated
from anomalo_images_gan.networks.sagan import channels

EMBEDDING = 32
"""Width of the embedding of a label that all layers share."""


class BigGanGenerator(nn.Module):
    """Residual blocks, each of which gets its own part of the noise and the label's shared embedding as a condition.

    Weights are orthogonal at first. In evaluation noise is cut off at `threshold`.

    Reference: Brock, Donahue and Simonyan (2019), Large scale GAN training for high fidelity natural image synthesis,
    ICLR.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    noise, width : int
        Width of the noise, and channels at full size.
    classes : int
        Labels; 0 if there are none.
    threshold : float
        Of the truncation, in deviations of the noise; 0 for none.
    """

    def __init__(
        self, shape: tuple[int, ...], noise: int, width: int, classes: int = 0, threshold: float = 0.0
    ) -> None:
        super().__init__()
        colours, *size = shape
        self.size, self.sizes, self.threshold = tuple(size), Sizes.of(*size), threshold
        widths = channels(width, self.sizes.levels)
        self.embedding = nn.Embedding(classes, EMBEDDING) if classes else None
        self.parts = self._split(noise, self.sizes.levels + 1)
        shared = EMBEDDING if classes else 0
        self.input = spectral(nn.Linear(self.parts[0] + shared, widths[0] * self.sizes.height * self.sizes.width))
        self.up = nn.ModuleList(
            UpBlock(before, after, part + shared)
            for (before, after), part in zip(itertools.pairwise(widths), self.parts[1:], strict=True)
        )
        self.attention = SelfAttention(widths[max(self.sizes.levels - 1, 0)], spectral)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.output = spectral(nn.Conv2d(widths[-1], colours, 3, padding=1))
        orthogonal(self)

    @staticmethod
    def _split(noise: int, parts: int) -> list[int]:
        """Return the width of each part of the noise: alike, the first with what is left."""
        each = max(noise // parts, 1)
        return [noise - each * (parts - 1)] + [each] * (parts - 1)

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [n, C, H, W] in [-1, 1] of noise [n, noise] and labels [n]."""
        if self.threshold and not self.training:
            noise = truncated(noise, self.threshold)
        conditions = list(torch.split(noise, self.parts, dim=1))
        if self.embedding is not None and labels is not None:
            shared = self.embedding(labels)
            conditions = [torch.cat([part, shared], dim=1) for part in conditions]
        images = self.sizes.smallest(self.input(conditions[0]))
        for level, block in enumerate(self.up, start=1):
            images = block(self.attention(images) if level == self.sizes.levels else images, conditions[level])
        height, width = self.size
        return torch.tanh(self.output(F.relu(self.norm(images))))[:, :, :height, :width]


class BigGanDiscriminator(nn.Module):
    """Residual blocks with spectral normalisation, attention at half size, and a projection of the label.

    It also sees the deviation within a batch, where there are labels that among images of the same one.

    Reference: as for `BigGanGenerator`.

    Parameters
    ----------
    shape, width, classes
        As for `BigGanGenerator`.
    """

    def __init__(self, shape: tuple[int, ...], width: int, classes: int = 0) -> None:
        super().__init__()
        colours, *size = shape
        self.sizes = Sizes.of(*size)
        widths = [colours, *channels(width, self.sizes.levels)[::-1][1:]]
        self.down = nn.ModuleList(
            DownBlock(before, after, first=level == 0)
            for level, (before, after) in enumerate(itertools.pairwise(widths))
        )
        self.attention = SelfAttention(widths[min(1, self.sizes.levels)], spectral)
        self.classes, self.deviation = classes, MinibatchDeviation()
        self.head = ProjectionHead(widths[-1] + 1, classes)
        orthogonal(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [n] of images [n, C, H, W] and labels [n]."""
        hidden = self.sizes.whole(images)
        for level, block in enumerate(self.down):
            hidden = block(hidden)
            hidden = self.attention(hidden) if level == 0 else hidden
        hidden = self.deviation(F.relu(hidden), labels if self.classes else None)
        logits: Tensor = self.head(hidden.sum(dim=(2, 3)), labels)
        return logits


def orthogonal(net: nn.Module) -> None:
    """Draw all weights of convolutions and linear layers as orthogonal matrices.

    Reference: Saxe, McClelland and Ganguli (2014), Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks, ICLR.
    """
    for name, weight in net.named_parameters():
        if weight.dim() > 1 and "embedding" not in name and "scale_shift" not in name:
            nn.init.orthogonal_(weight)
