"""Transformer blocks over the pixels of an image, in windows where there are many."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), and x + perceptron(norm(x)), over tokens.

    References: Vaswani et al. (2017), Attention is all you need, NIPS; Xiong et al. (2020), On layer normalization in
    the transformer architecture, ICML, for the norms before the layers.

    Parameters
    ----------
    width, heads : int
        Of a token, and number of heads, which divides it.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_perceptron = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inputs, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map [n, tokens, width] to the same shape."""
        inputs = self.inputs(self.before_attention(tokens)).unflatten(2, (3, self.heads, -1))
        query, key, value = inputs.permute(2, 0, 3, 1, 4)
        # Not torch's fused attention, of which a penalty on slopes cannot take the second derivative.
        weight = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(query.shape[3]), dim=3)
        tokens = tokens + self.output((weight @ value).transpose(1, 2).flatten(2))
        after: Tensor = tokens + self.perceptron(self.before_perceptron(tokens))
        return after


def in_windows(images: Tensor, height: int, width: int) -> Tensor:
    """Return the pixels of [n, H, W, C] in windows, [n windows, height width, C]; height divides H, and width W.

    Reference: Jiang, Chang and Wang (2021), TransGAN: two pure transformers can make one strong GAN, and that can
    scale up, NeurIPS, section 3.3 (grid self-attention).
    """
    n, rows, columns, channels = images.shape
    grid = images.view(n, rows // height, height, columns // width, width, channels)
    return grid.transpose(2, 3).reshape(-1, height * width, channels)


def from_windows(windows: Tensor, height: int, width: int, shape: torch.Size) -> Tensor:
    """Return images of a shape [n, H, W, C] of `in_windows`.

    Examples
    --------
    >>> images = torch.randn(2, 4, 6, 3)
    >>> torch.equal(from_windows(in_windows(images, 2, 3), 2, 3, images.shape), images)
    True
    """
    n, rows, columns, channels = shape
    grid = windows.view(n, rows // height, columns // width, height, width, channels)
    return grid.transpose(2, 3).reshape(shape)
