"""A convolutional variational autoencoder."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomalo.neural import draw_rows, part_of_mean, split_rows
from anomalo.plugin import Layout, param
from anomalo_images.networks.conv import Conv, ConvAutoencoder


class VariationalConvAutoencoder(ConvAutoencoder):
    """A convolutional autoencoder whose code has a Gaussian distribution; what is drawn of it is decoded.

    Parameters
    ----------
    shape, width, latent, decoder
        As for `ConvAutoencoder`.
    """

    def __init__(self, shape: tuple[int, ...], width: int, latent: int, decoder: str) -> None:
        super().__init__(shape, width, 2 * latent, decoder)
        self.from_code = nn.Linear(latent, self.from_code.out_features)
        self.log_variance = nn.Parameter(torch.zeros(()))

    def posterior(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means and log variances of the codes of images, each [n, latent]."""
        mean, log_variance = super().encode(x, observed).chunk(2, dim=1)
        return mean, log_variance

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the means of the codes."""
        return self.posterior(x, observed)[0]


@dataclass(kw_only=True)
class ConvVae(Conv):
    """Expects of an image what a convolutional variational autoencoder makes of the mean of its code.

    loss = (E_q[-log p(x | z)] + beta KL(q(z | x) || p(z))) / pixels, with Gaussian q and standard normal p(z). p(x | z)
    is Gaussian with one variance of all pixels, which is learned too.

    Reference: Kingma and Welling (2014), Auto-encoding variational Bayes, ICLR; Rybkin, Daniilidis and Levine (2021),
    Simple and effective VAE training with calibrated decoders, ICML, for the variance.
    """

    name = "conv_vae"

    beta: float = param(1.0, low=0.0, high=100.0, help="Weight of the codes' divergence from the prior.")

    def build(self, layout: Layout) -> ConvAutoencoder:
        """Return the network for images of this size."""
        return VariationalConvAutoencoder(layout.shape, self.width, self.latent, self.decoder)

    def loss(self, net: ConvAutoencoder, x: Tensor, observed: Tensor) -> Tensor:
        """Return the negative evidence lower bound by one draw of each code, in nats per pixel."""
        assert isinstance(net, VariationalConvAutoencoder)
        x, observed, shown, seen = split_rows(x, observed, *self.shown(x, observed))
        mean, log_variance = net.posterior(shown, seen)
        noise = draw_rows(lambda n: torch.randn(n, mean.shape[1], dtype=mean.dtype, device=mean.device), len(mean))
        error = (net.decode(mean + noise * (0.5 * log_variance).exp()) - x).square()
        surprisal = 0.5 * (error / net.log_variance.exp() + net.log_variance + math.log(2 * math.pi)) * observed
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        bound = surprisal.flatten(1).sum(dim=1) + self.beta * divergence.sum(dim=1)
        return part_of_mean((bound / observed.flatten(1).sum(dim=1).clamp(min=1)).mean())
