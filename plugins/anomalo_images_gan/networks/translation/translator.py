"""The residual network that translates images without pairs, with a latent for what the image leaves open."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_images_gan.networks.layers.sizes import Sizes
from anomalo_images_gan.networks.translation.unet import normal

BLOCKS = 3
"""Residual blocks at half size."""


class Residual(nn.Module):
    """x + a convolution, a rectifier and a convolution, each with instance normalisation.

    Parameters
    ----------
    channels : int
        Of the images.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            normal(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            normal(channels),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map [n, C, H, W] to the same shape."""
        changed: Tensor = images + self.layers(images)
        return changed


class Translator(nn.Module):
    """Halves an image, changes it by residual blocks, and doubles it again.

    A latent, if there is one, is added as channels that are constant over the image.

    References: Johnson, Alahi and Fei-Fei (2016), Perceptual losses for real-time style transfer, ECCV, for the layers;
    Almahairi et al. (2018), Augmented CycleGAN: learning many-to-many mappings from unpaired data, ICML.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images of both domains.
    width : int
        Channels at full size.
    latent : int
        Width of the latent; 0 for none.
    """

    def __init__(self, shape: tuple[int, ...], width: int, latent: int = 0) -> None:
        super().__init__()
        colours, *size = shape
        self.size, self.sizes = tuple(size), Sizes.of(*size)
        self.down = nn.Sequential(
            nn.Conv2d(colours + latent, width, 5, padding=2),
            normal(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4 if self.sizes.levels else 3, stride=2 if self.sizes.levels else 1, padding=1),
            normal(2 * width),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*(Residual(2 * width) for _ in range(BLOCKS)))
        self.up = nn.Sequential(nn.Conv2d(2 * width, width, 3, padding=1), normal(width), nn.ReLU())
        self.output = nn.Conv2d(width, colours, 5, padding=2)

    def forward(self, images: Tensor, latent: Tensor | None = None) -> Tensor:
        """Map [n, C, H, W], with a latent [n, latent], to images of the other domain, in [-1, 1]."""
        whole = self.sizes.whole(images)
        if latent is not None:
            planes = latent[:, :, None, None].expand(-1, -1, *whole.shape[2:])
            whole = torch.cat([whole, planes], dim=1)
        hidden = self.blocks(self.down(whole))
        larger = F.interpolate(hidden, size=whole.shape[2:], mode="nearest")
        height, width = self.size
        return torch.tanh(self.output(self.up(larger)))[:, :, :height, :width]


class LatentEncoder(nn.Module):
    """From an image of each domain, that belong together, to the latent that leads from one to the other.

    Reference: Almahairi et al. (2018), Augmented CycleGAN: learning many-to-many mappings from unpaired data, ICML.

    Parameters
    ----------
    channels, width, latent : int
        Of the images of one domain, of the first layer, and of the latent.
    """

    def __init__(self, channels: int, width: int, latent: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2 * channels, width, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.ReLU(),
        )
        self.output = nn.Linear(2 * width, latent)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return latents [n, latent] of images [n, C, H, W] of both domains."""
        found: Tensor = self.output(self.layers(torch.cat([first, second], dim=1)).mean(dim=(2, 3)))
        return found
