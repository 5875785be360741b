"""The variational autoencoder: a code with a distribution, scored by a bound on the row's likelihood."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anomalo.neural import Autoencoder, Reconstructor, activate, filled, mlp
from anomalo.plugin import Encoded, Filled, Layout, Run, param, row_uniform
from anomalo_autoencoders.piecewise_input import PiecewiseInput
from anomalo_autoencoders.variational.importance_weighted_codes import Missingness, WeightedCodes, log_weights

PIECES = 8
"""Quantile ranges that the encoder splits a number into."""


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


def gaussian_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)), elementwise: (mean^2 + variance - 1 - log variance) / 2."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


@dataclass(kw_only=True)
class Variational(Reconstructor):
    """A variational autoencoder with learned observation noise in each column.

    loss = (E_q[-log p(x | z)] + beta * sum_j max(KL_j, free)) / cells, with q(z | x) Gaussian and p(z) standard
    normal. Scored by the importance-weighted bound -log(1/K sum_k p(x | z_k) p(z_k) / q(z_k | x)), z_k from q by
    the same K noise vectors for every row, so that a row's score depends on that row alone.

    Reference: Kingma and Welling (2014), Auto-encoding variational Bayes, ICLR; Higgins et al. (2017) for beta;
    Kingma et al. (2016) for free bits; Burda et al. (2016), Importance weighted autoencoders, ICLR.

    Examples
    --------
    >>> Variational(beta=0.5).params()["beta"]
    0.5
    """

    name = "variational"
    chunk = 512

    hidden: tuple[int, ...] = param((64, 32), low=1, high=100_000, help="Widths of the encoder's hidden layers.")
    latent: int = param(0, low=0, high=100_000, help="Width of the code; 0 takes half of the columns, at most 16.")
    beta: float = param(1.0, low=0.0, high=100.0, help="Weight of the code's divergence from the prior.")
    free: float = param(0.0, low=0.0, high=10.0, help="Nats of divergence of each code unit that cost nothing.")
    samples: int = param(32, low=1, high=10_000, help="Codes drawn for each row to score it.")

    def build(self, layout: Layout) -> nn.Module:
        """Return the network for this layout."""
        return VariationalNet(layout, self.hidden, self._codes(layout))

    def _codes(self, layout: Layout) -> int:
        return self.latent or max(2, min(16, len(layout.blocks) // 2))

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """Negative evidence lower bound (nats per observed cell), with one sample."""
        assert isinstance(net, VariationalNet)
        mean, log_variance = net.posterior(*self.corrupt(x, observed))
        code, _ = log_weights(torch.randn_like(mean), mean, log_variance)
        divergence = gaussian_divergence(mean, log_variance).mean(dim=0).clamp(min=self.free).sum()
        cells = observed.sum() / len(x)
        return self.heads(net).mean_nll(net.decode(code), x, observed) + self.beta * divergence / cells.clamp(min=1)

    def finish(self, data: Encoded, run: Run) -> None:
        """Draw the noise that every row is scored with."""
        self.noise_ = run.rng.standard_normal((self.samples, self._codes(data.layout))).astype("float32")

    def _energies(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the function from a batch to the cells' energies, [n, columns], and the rest of the bound, [n].

        A cell's energy is its surprisal, averaged over the codes by their importance.
        """
        heads, noises = self.heads(self.net), torch.from_numpy(self.noise_).to(next(self.net.parameters()).device)

        def energies(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            mean, log_variance = self.net.posterior(x, observed)
            cells, bound = torch.zeros_like(x), torch.full_like(x[:, 0], -math.inf)
            for noise in noises:
                code, weight = log_weights(noise, mean, log_variance)
                surprisal = heads.nll(self.net.decode(code), x, observed)
                joint = weight - surprisal.sum(dim=1)
                higher = torch.logaddexp(bound, joint)
                kept, new = (bound - higher).exp()[:, None], (joint - higher).exp()[:, None]
                cells, bound = cells * kept + surprisal * new, higher
            return cells, math.log(len(noises)) - bound - cells.sum(dim=1)

        return energies

    def evidence(self, net: nn.Module, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Return log p(a row's observed cells | code), [n], for the code's `parameters` of the likelihoods."""
        return -self.heads(net).nll(parameters, x, observed).sum(dim=1)

    def missingness(self, net: nn.Module) -> Missingness:
        """Return the model of why cells are missing; here, independently of their values."""
        return Missingness()

    def _weighted(self, x: Tensor, observed: Tensor) -> WeightedCodes:
        """Draw and weigh codes, by the same noise for every row."""
        net: Any = self.net
        noises = torch.from_numpy(self.noise_).to(x.device)
        proposal = net.posterior(x, observed)
        found = [log_weights(noise, *proposal) for noise in noises]
        joint = [weight + self.evidence(net, net.decode(code), x, observed) for code, weight in found]
        codes = torch.stack([code for code, _ in found])
        return WeightedCodes(net, self.heads(net), codes, torch.stack(joint), self.missingness(net))

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill missing cells by their expectation over codes, weighted by importance.

        A draw takes a code by its weight, and then the row's cells given that code, so that they belong together.
        """
        columns = len(data.layout.blocks)
        cells, choice = (row_uniform(data, self.seed_ + at, draws).transpose(1, 0, 2) for at in (0, 1))
        uniform = np.concatenate([choice[:, :, :1], cells], axis=2) if columns else np.zeros((len(data), draws, 1))

        def fill(x: Tensor, observed: Tensor, uniform: Tensor) -> tuple[Tensor, ...]:
            codes = self._weighted(x, observed)
            expected, ends, proba = codes.expectation()
            return expected, torch.cat([ends, codes.draw(uniform)], dim=1), *proba

        expected, quantiles, *proba = self._in_chunks(fill, data.values, data.observed, uniform.astype(np.float32))
        return filled(data, expected, quantiles, proba)
