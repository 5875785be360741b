"""The network that removes noise from images: a U-Net that sees the noise level, with attention at its bottom."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import LevelEmbedding
from anomalo_images_gan.networks.convolutional import halvings

GROUPS = 8
"""Of channels that are normalised together, at most."""
MOST_HALVINGS = 2


def normalised(channels: int) -> nn.GroupNorm:
    """Return a normalisation of each image by itself.

    Reference: Wu and He (2018), Group normalization, ECCV.
    """
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)


class ResidualBlock(nn.Module):
    """Two convolutions around a path past them; what is embedded shifts the channels between them.

    It starts as the path alone, but for the change of channels.
    """

    def __init__(self, before: int, after: int, embedded: int) -> None:
        super().__init__()
        self.first, self.second = normalised(before), normalised(after)
        self.up, self.down = nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)
        self.shift = nn.Linear(embedded, after)
        self.past = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        """Map [n, before, H, W] and [n, embedded] to [n, after, H, W]."""
        hidden = self.up(F.silu(self.first(x))) + self.shift(F.silu(embedded))[:, :, None, None]
        found: Tensor = self.past(x) + self.down(F.silu(self.second(hidden)))
        return found


class PixelAttention(nn.Module):
    """Each pixel looks at all others, and adds what it finds; it starts as the identity.

    Reference: Vaswani et al. (2017), Attention is all you need, NIPS; Ho, Jain and Abbeel (2020), appendix B.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = normalised(channels)
        self.look, self.output = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [n, channels, H, W] to the same shape."""
        pixels = self.norm(x).flatten(2).transpose(1, 2)
        query, key, value = self.look(pixels).chunk(3, dim=2)
        found: Tensor = self.output(F.scaled_dot_product_attention(query, key, value))
        return x + found.transpose(1, 2).reshape(x.shape)


class DenoisingUNet(nn.Module):
    """Removes noise from images of a class, or of any, of which some pixels may be given without noise.

    Reference: Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models, NeurIPS, appendix B; Ronneberger,
    Fischer and Brox (2015), U-Net, MICCAI.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    width : int
        Channels at the full size; each halving doubles them.
    classes : int
        Labels from 0; the label `classes` stands for any.
    """

    def __init__(self, shape: tuple[int, ...], width: int, classes: int) -> None:
        super().__init__()
        levels = min(MOST_HALVINGS, halvings(*shape[1:]))
        widths, self.of, embedded = [width << level for level in range(levels + 1)], 2**levels, 4 * width
        self.level, self.label = LevelEmbedding(embedded), nn.Embedding(classes + 1, embedded)
        self.input, self.output = (
            nn.Conv2d(2 * shape[0] + 1, width, 3, padding=1),
            nn.Conv2d(width, shape[0], 3, padding=1),
        )
        self.norm = normalised(width)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(ResidualBlock(large, large, embedded) for large, _ in pairs)
        self.halve = nn.ModuleList(nn.Conv2d(large, small, 4, 2, 1) for large, small in pairs)
        self.bottom = nn.ModuleList(ResidualBlock(widths[-1], widths[-1], embedded) for _ in range(2))
        self.attention = PixelAttention(widths[-1])
        self.enlarge = nn.ModuleList(nn.Conv2d(small, large, 3, padding=1) for large, small in reversed(pairs))
        self.up = nn.ModuleList(ResidualBlock(2 * large, large, embedded) for large, _ in reversed(pairs))
        nn.init.zeros_(self.output.weight)

    def forward(self, x: Tensor, level: Tensor, label: Tensor, clean: Tensor, known: Tensor) -> Tensor:
        """Return the network's output [n, C, H, W].

        Parameters
        ----------
        x : float32 [n, C, H, W]
            Noisy images, of about unit variance.
        level : float32 [n]
            The noise level, from 0 to 1.
        label : int64 [n]
        clean : float32 [n, C, H, W]
            The images without noise; looked at where known alone.
        known : bool [n, C, H, W]
            Which pixels are given; all channels of a pixel, or none.
        """
        height, width = x.shape[2:]
        given = known.to(x.dtype)
        x = torch.cat([x * (1 - given), clean * given, given[:, :1]], dim=1)
        x = F.pad(x, (0, -width % self.of, 0, -height % self.of))
        embedded = self.level(level) + self.label(label)
        hidden, across = self.input(x.contiguous(memory_format=torch.channels_last)), []
        for block, halve in zip(self.down, self.halve, strict=True):
            hidden = block(hidden, embedded)
            across.append(hidden)
            hidden = halve(hidden)
        hidden = self.bottom[1](self.attention(self.bottom[0](hidden, embedded)), embedded)
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            larger = enlarge(F.interpolate(hidden, scale_factor=2, mode="nearest"))
            hidden = block(torch.cat([larger, across.pop()], dim=1), embedded)
        found: Tensor = self.output(F.silu(self.norm(hidden)))
        return found[:, :, :height, :width]
