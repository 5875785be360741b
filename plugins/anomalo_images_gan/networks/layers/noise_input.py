"""Noise inputs: one random number for each pixel, added to all channels with a learned weight each."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NoiseInput(nn.Module):
    """Adds noise to images, so that a style need not say where each stroke's irregularities lie; at first none.

    Reference: Karras, Laine and Aila (2019), A style-based generator architecture for generative adversarial networks,
    CVPR, section 2.

    Parameters
    ----------
    channels : int
        Of the images.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))

    def forward(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return images [n, C, H, W] with noise [n, 1, H, W]."""
        return images + self.weight[:, None, None] * noise
