"""Transformer blocks over the pixels of an image, each one a token: attention within windows, then each by itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_images_gan.networks.layers.sizes import Sizes

WINDOW = 64
"""Tokens in a window, at most, unless the smallest size of the image has more."""
HIDDEN = 2
"""The hidden layer of a block is so many times as wide as a token."""


def token_norm(tokens: Tensor) -> Tensor:
    """Return tokens [..., C] divided by the root of their mean square over the channels: pixelwise normalisation.

    Reference: Jiang, Chang and Wang (2021), TransGAN: two pure transformers can make one strong GAN, and that can scale
    up, NeurIPS, section 3.4.
    """
    return F.rms_norm(tokens, tokens.shape[-1:], eps=1e-8)


def window_of(sizes: Sizes, level: int) -> tuple[int, int]:
    """Return height and width of the windows at a level: the whole image while it is small.

    Examples
    --------
    >>> [window_of(Sizes.of(32, 32), level) for level in range(4)]
    [(4, 4), (8, 8), (8, 8), (8, 8)]
    """
    fitting = [size for size in map(sizes.at, range(1, level + 1)) if math.prod(size) <= WINDOW]
    return fitting[-1] if fitting else sizes.at(0)


def split(tokens: Tensor, window: tuple[int, int]) -> Tensor:
    """Return images of tokens [n, H, W, C] as windows [n, windows, tokens, C], row by row."""
    n, height, width, channels = tokens.shape
    down, across = window
    parts = tokens.view(n, height // down, down, width // across, across, channels).transpose(2, 3)
    return parts.reshape(n, -1, down * across, channels)


def joined(windows: Tensor, size: tuple[int, int], window: tuple[int, int]) -> Tensor:
    """Return windows [n, windows, tokens, C] as images of tokens [n, H, W, C], as before `split`."""
    (height, width), (down, across) = size, window
    parts = windows.view(len(windows), height // down, width // across, down, across, -1).transpose(2, 3)
    return parts.reshape(len(windows), height, width, -1)


class Attention(nn.Module):
    """Multi-head self-attention of the tokens in each window, with a learned bias for each relative position.

    softmax(q k' / sqrt(width of a head) + bias) v

    References: Vaswani et al. (2017), Attention is all you need, NIPS; Shaw, Uszkoreit and Vaswani (2018),
    Self-attention with relative position representations, NAACL; Jiang, Chang and Wang (2021), TransGAN, NeurIPS,
    section 3.2 (windows: grid self-attention).

    Parameters
    ----------
    channels : int
        Of a token.
    heads : int
        At most; so many as divide the channels.
    window : (int, int)
        Height and width.
    """

    relative: Tensor

    def __init__(self, channels: int, heads: int, window: tuple[int, int]) -> None:
        super().__init__()
        self.heads, self.window = math.gcd(channels, heads), window
        self.inputs = nn.Linear(channels, 3 * channels, bias=False)
        self.output = nn.Linear(channels, channels)
        down, across = window
        self.bias = nn.Parameter(torch.zeros((2 * down - 1) * (2 * across - 1), self.heads))
        row, column = (
            axis.flatten() for axis in torch.meshgrid(torch.arange(down), torch.arange(across), indexing="ij")
        )
        below, right = row[:, None] - row + down - 1, column[:, None] - column + across - 1
        self.register_buffer("relative", below * (2 * across - 1) + right, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map [n, H, W, C] to the same shape."""
        windows = split(tokens, self.window)
        query, key, value = self.inputs(windows).unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        bias = self.bias[self.relative].permute(2, 0, 1)
        query = query / math.sqrt(query.shape[-1])
        weight = torch.softmax(query @ key.transpose(3, 4) + bias, dim=4)
        mean = (weight @ value).transpose(2, 3).flatten(3)
        height, width = tokens.shape[1:3]
        return joined(self.output(mean), (height, width), self.window)


class TransformerBlock(nn.Module):
    """Adds attention, then a perceptron of each token, to normalised tokens.

    Reference: Jiang, Chang and Wang (2021), TransGAN: two pure transformers can make one strong GAN, and that can scale
    up, NeurIPS, section 3.1.

    Parameters
    ----------
    channels, heads, window
        As for `Attention`.
    """

    def __init__(self, channels: int, heads: int, window: tuple[int, int]) -> None:
        super().__init__()
        self.attention = Attention(channels, heads, window)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, HIDDEN * channels), nn.GELU(), nn.Linear(HIDDEN * channels, channels)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map [n, H, W, C] to the same shape."""
        tokens = tokens + self.attention(token_norm(tokens))
        changed: Tensor = tokens + self.perceptron(token_norm(tokens))
        return changed
