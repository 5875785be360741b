"""The network of a variational autoencoder: a distribution over codes, and what cells a code makes likely."""

import torch
from torch import Tensor, nn

from anomalo.neural import Autoencoder, activate, mlp
from anomalo.plugin import Layout
from anomalo_autoencoders.piecewise_input import PiecewiseInput

PIECES = 8
"""Quantile ranges that the encoder splits a number into."""


class Missingness:
    """Missingness that does not depend on the missing values; a model of the reasons overrides both methods."""

    def of_numbers(self, values: Tensor) -> Tensor:
        """Return log p(missing | value), [n, k, numbers], for standardised numbers."""
        return torch.zeros_like(values)

    def of_levels(self, parameters: Tensor) -> Tensor:
        """Return the parameters [n, parameters] of the categories' distributions given that they are missing."""
        return parameters


class VariationalNet(Autoencoder):
    """The encoder gives a Gaussian over codes: mean and log variance, [n, 2 * latent]."""

    def __init__(self, layout: Layout, hidden: tuple[int, ...], latent: int) -> None:
        first, *rest = hidden
        encoder = nn.Sequential(activate("silu"), mlp(first, *rest, 2 * latent, last=False))
        super().__init__(layout, encoder, mlp(latent, *reversed(hidden)), first, first)
        self.input = PiecewiseInput(layout, first, PIECES)

    def posterior(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log variance of the code, each [n, latent]."""
        mean, log_variance = self.encoder(self.input(x, observed)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 6)

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the code's mean, [n, latent]."""
        return self.posterior(x, observed)[0]

    def evidence(self, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Return log p(a row's observed cells | code), [n], for the code's `parameters` of the likelihoods."""
        return -self.heads.nll(parameters, x, observed).sum(dim=1)

    @property
    def missingness(self) -> Missingness:
        """The model of why cells are missing; here, independently of their values."""
        return Missingness()
