"""Adaptive instance normalisation: a style sets the mean and the deviation of each channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anomalo_images_gan.networks.layers.equalised import EqualisedLinear

SMALLEST = 1e-8
"""Added to the variance of a channel."""


def adaptive_instance_norm(images: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return images [n, C, H, W] whose channels have the deviation |scale| and the mean shift, each [n, C].

    Reference: Huang and Belongie (2017), Arbitrary style transfer in real-time with adaptive instance normalization,
    ICCV.
    """
    centred = images - images.mean(dim=(2, 3), keepdim=True)
    white = centred * torch.rsqrt(centred.square().mean(dim=(2, 3), keepdim=True) + SMALLEST)
    return white * scale[:, :, None, None] + shift[:, :, None, None]


class Style(nn.Module):
    """Adaptive instance normalisation whose scale and shift are learned of a latent w; at first 1 and 0 on average.

    Reference: Karras, Laine and Aila (2019), A style-based generator architecture for generative adversarial networks,
    CVPR.

    Parameters
    ----------
    latent, channels : int
        Width of w, and channels of the images.
    """

    def __init__(self, latent: int, channels: int) -> None:
        super().__init__()
        self.linear = EqualisedLinear(latent, 2 * channels, gain=1.0)

    def forward(self, images: Tensor, latent: Tensor) -> Tensor:
        """Return images [n, C, H, W] in the style of w [n, latent]."""
        scale, shift = self.linear(latent).chunk(2, dim=1)
        return adaptive_instance_norm(images, 1 + scale, shift)
