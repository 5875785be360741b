"""The variational autoencoder: a code with a distribution, scored by a bound on the row's likelihood."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomalo.neural import Autoencoder, Reconstructor, activate, mlp
from anomalo.plugin import Encoded, Layout, Run, param


class VariationalNet(Autoencoder):
    """The encoder gives a Gaussian over codes: mean and log variance, [n, 2 * latent]."""

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


def log_weights(noise: Tensor, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return codes z = mean + std * noise [n, latent] and log p(z) - log q(z), [n]."""
    code = mean + (0.5 * log_variance).exp() * noise
    return code, 0.5 * (noise.square() - code.square() + log_variance).sum(dim=1)


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

    hidden: tuple[int, ...] = param((64, 32), low=1, high=100_000, help="Widths of the encoder's hidden layers.")
    latent: int = param(0, low=0, high=100_000, help="Width of the code; 0 takes half of the columns, at most 16.")
    beta: float = param(1.0, low=0.0, high=100.0, help="Weight of the code's divergence from the prior.")
    free: float = param(0.0, low=0.0, high=10.0, help="Nats of divergence of each code unit that cost nothing.")
    samples: int = param(32, low=1, high=10_000, help="Codes drawn for each row to score it.")

    def build(self, layout: Layout) -> nn.Module:
        """Return the network for this layout."""
        first, *rest = self.hidden
        encoder = nn.Sequential(activate("silu"), mlp(first, *rest, 2 * self._codes(layout), last=False))
        return VariationalNet(layout, encoder, mlp(self._codes(layout), *reversed(self.hidden)), first, first)

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

        A cell's energy is its surprise, averaged over the codes by their importance.
        """
        heads, noises = self.heads(self.net), torch.from_numpy(self.noise_).to(next(self.net.parameters()).device)

        def energies(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            mean, log_variance = self.net.posterior(x, observed)
            cells, bound = torch.zeros_like(x), torch.full_like(x[:, 0], -math.inf)
            for noise in noises:
                code, weight = log_weights(noise, mean, log_variance)
                surprise = heads.nll(self.net.decode(code), x, observed)
                joint = weight - surprise.sum(dim=1)
                higher = torch.logaddexp(bound, joint)
                kept, new = (bound - higher).exp()[:, None], (joint - higher).exp()[:, None]
                cells, bound = cells * kept + surprise * new, higher
            return cells, math.log(len(noises)) - bound - cells.sum(dim=1)

        return energies
