"""The mapping network: from noise to an intermediate latent, whose directions need not be Gaussian."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_images_gan.networks.layers.equalised import EqualisedLinear
from anomalo_images_gan.networks.layers.pixel_norm import pixel_norm

RATE = 0.01
"""The learning rate of the mapping network, in parts of that of the rest."""
NEWEST = 0.005
"""The share of the newest batch in the running mean of latents."""


class Mapping(nn.Module):
    """A multilayer perceptron from noise z, and an embedded label, to a latent w, and its running mean.

    Reference: Karras, Laine and Aila (2019), A style-based generator architecture for generative adversarial networks,
    CVPR, section 2 and appendix B (truncation).

    Parameters
    ----------
    noise, latent, depth : int
        Width of z and of w, and number of layers.
    classes : int
        Labels; 0 if there are none.

    Attributes
    ----------
    mean : float32 [latent]
        The running mean of w in training.
    """

    mean: Tensor

    def __init__(self, noise: int, latent: int, depth: int, classes: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, noise) if classes else None
        widths = [noise * (2 if classes else 1)] + [latent] * depth
        self.layers = nn.ModuleList(EqualisedLinear(*pair, rate=RATE) for pair in itertools.pairwise(widths))
        self.register_buffer("mean", torch.zeros(latent))

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return w [n, latent] of z [n, noise] and labels [n]; in training its running mean moves."""
        hidden = pixel_norm(noise)
        if self.embedding is not None and labels is not None:
            hidden = torch.cat([hidden, pixel_norm(self.embedding(labels))], dim=1)
        for layer in self.layers:
            hidden = F.leaky_relu(layer(hidden), 0.2)
        if self.training:
            self.mean.lerp_(hidden.detach().mean(dim=0), NEWEST)
        return hidden

    def truncated(self, latent: Tensor, share: float) -> Tensor:
        """Return latents [n, latent] moved towards the mean: the deviation from it times `share`, 0 to 1."""
        return self.mean + share * (latent - self.mean)
