"""The variational autoencoder: a code with a distribution, scored by a bound on the row's likelihood."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anomalo.neural import Reconstructor, draw_rows, filled, mean_of_batch, part_of_mean, split_rows
from anomalo.plugin import Encoded, Filled, Layout, Run, param, row_uniform
from anomalo_autoencoders.variational.importance_weighted_codes import WeightedCodes, log_weights
from anomalo_autoencoders.variational.variational_network import VariationalNet


def gaussian_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)), elementwise: (mean^2 + variance - 1 - log variance) / 2."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


@dataclass(kw_only=True)
class Variational(Reconstructor[VariationalNet]):
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

    def build(self, layout: Layout) -> VariationalNet:
        """Return the network for this layout."""
        return VariationalNet(layout, self.hidden, self._codes(layout))

    def _codes(self, layout: Layout) -> int:
        return self.latent or max(2, min(16, len(layout.blocks) // 2))

    def loss(self, net: VariationalNet, x: Tensor, observed: Tensor) -> Tensor:
        """Negative evidence lower bound (nats per observed cell), with one sample."""
        cells = observed.sum() / len(x)
        x, observed, *shown = split_rows(x, observed, *self.corrupt(x, observed))
        mean, log_variance = net.posterior(*shown)
        noise = draw_rows(lambda n: torch.randn(n, mean.shape[1], dtype=mean.dtype, device=mean.device), len(mean))
        code, _ = log_weights(noise, mean, log_variance)
        divergence = mean_of_batch(gaussian_divergence(mean, log_variance).mean(dim=0)).clamp(min=self.free).sum()
        penalty = self.beta * divergence / cells.clamp(min=1)
        return net.heads.mean_nll(net.decode(code), x, observed) + part_of_mean(penalty)

    def finish(self, data: Encoded, run: Run) -> None:
        """Draw the noise that every row is scored with."""
        self.noise_ = run.rng.standard_normal((self.samples, self._codes(data.layout))).astype("float32")

    def _energies(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the function from a batch to the cells' energies, [n, columns], and the rest of the bound, [n].

        A cell's energy is its surprisal, averaged over the codes by their importance.
        """
        heads, noises = self.net.heads, torch.from_numpy(self.noise_).to(next(self.net.parameters()).device)

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

    def _weighted(self, x: Tensor, observed: Tensor) -> WeightedCodes:
        """Draw and weigh codes, by the same noise for every row."""
        net = self.net
        noises = torch.from_numpy(self.noise_).to(x.device)
        proposal = net.posterior(x, observed)
        found = [log_weights(noise, *proposal) for noise in noises]
        joint = [weight + net.evidence(net.decode(code), x, observed) for code, weight in found]
        codes = torch.stack([code for code, _ in found])
        return WeightedCodes(net, codes, torch.stack(joint))

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

        expected, quantiles, *proba = self.in_chunks(fill, data.values, data.observed, uniform.astype(np.float32))
        return filled(data, expected, quantiles, proba)
