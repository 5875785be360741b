"""Translators between two domains in both directions, and the critics of both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anomalo.neural import AdversarialNetwork, ModuleTuple, ReplayBuffer
from anomalo_images_gan.networks.translation.patch_discriminator import PatchDiscriminator
from anomalo_images_gan.networks.translation.translator import LatentEncoder, Translator

DOMAINS = (0, 1)


class BothWays(nn.Module):
    """A translator into each domain, and with latents an encoder of those of each.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images of both domains.
    width, latent : int
        Channels at full size, and width of the latents; 0 for none.
    """

    def __init__(self, shape: tuple[int, ...], width: int, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.translators = nn.ModuleList(Translator(shape, width, latent) for _ in DOMAINS)
        self.encoders = nn.ModuleList(LatentEncoder(shape[0], width, latent) for _ in DOMAINS if latent)

    def draw(self, images: Tensor) -> Tensor | None:
        """Return normal latents [n, latent], one for each image, if there are any."""
        return torch.randn(len(images), self.latent, device=images.device) if self.latent else None

    def translate(self, images: Tensor, to: int, latent: Tensor | None) -> Tensor:
        """Return images [n, C, H, W] of one domain as such of the domain `to`."""
        translated: Tensor = self.translators[to](images, latent)
        return translated

    def encode(self, image: Tensor, other: Tensor, domain: int) -> Tensor | None:
        """Return the latents [n, latent] that lead from `other` to `image`, one of the domain, if there are any."""
        return self.encoders[domain](image, other) if self.latent else None

    def forward(self, images: Tensor, labels: Tensor, latent: Tensor | None = None) -> Tensor:
        """Return images as such of the domains `labels` [n], from the other one each."""
        into = [self.translate(images, domain, latent) for domain in DOMAINS]
        return torch.where(labels.bool()[:, None, None, None], into[1], into[0])


class BothCritics(nn.Module):
    """A critic of patches for each domain, and of latents.

    Parameters
    ----------
    channels, width, latent : int
        Of the images, of the first layer, and of the latents; 0 for none.
    """

    def __init__(self, channels: int, width: int, latent: int) -> None:
        super().__init__()
        self.images = ModuleTuple([PatchDiscriminator(channels, width) for _ in DOMAINS])
        self.latents = nn.ModuleList(
            nn.Sequential(nn.Linear(latent, 2 * width), nn.LeakyReLU(0.2), nn.Linear(2 * width, 1))
            for _ in DOMAINS
            if latent
        )


class TranslationNetwork(AdversarialNetwork[BothWays, BothCritics]):
    """Translators, their moving average and the critics, with pools of earlier translations for these.

    Parameters
    ----------
    shape, width, latent
        As for `BothWays`.
    decay : float
        Of the moving average.
    kept : int
        Earlier translations into each domain.
    """

    def __init__(self, shape: tuple[int, ...], width: int, latent: int, decay: float, kept: int) -> None:
        super().__init__(BothWays(shape, width, latent), BothCritics(shape[0], width, latent), decay)
        self.pools = ModuleTuple([ReplayBuffer(kept, *shape) for _ in DOMAINS if kept])
