"""The sparse autoencoder: a wide code of which only a few units are active for any row."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomalo.neural import Autoencoder, Reconstructor, mean_of_batch, part_of_mean, split_rows
from anomalo.plugin import Layout, param
from anomalo_autoencoders.code_width import wide_code

RATE_DECAY = 0.99
"""Share of the tracked rate that is kept at each batch."""


class SparseAutoencoder(Autoencoder):
    """A sigmoid code, and the rate at which each of its units is active over the training set."""

    rate: Tensor

    def __init__(self, layout: Layout, latent: int, target: float) -> None:
        super().__init__(layout, nn.Sigmoid(), nn.Identity(), latent, latent)
        self.register_buffer("rate", torch.full((latent,), target))
        with torch.no_grad():
            self.input.bias.fill_(float(torch.logit(torch.tensor(target))))


def bernoulli_divergence(target: float, rate: Tensor) -> Tensor:
    """Return KL(target || rate) of Bernoulli variables, t log(t / r) + (1 - t) log((1 - t) / (1 - r)), elementwise."""
    rate = rate.clamp(1e-6, 1 - 1e-6)
    rho = torch.tensor(target, device=rate.device)
    return rho * (rho.log() - rate.log()) + (1 - rho) * ((1 - rho).log() - (1 - rate).log())


@dataclass(kw_only=True)
class Sparse(Reconstructor[SparseAutoencoder]):
    """An autoencoder with a wide sigmoid code under two penalties.

    loss = -mean log p(x | code) + l1 * mean |code| + kl * mean_j KL(target || rate_j), where rate_j is unit j's
    mean activity over the training set: an exponential average over batches, whose gradient is the batch's.

    Reference: Ng (2011), Sparse autoencoder, CS294A lecture notes, section 2; Lee, Ekanadham and Ng (2007), NIPS.

    Examples
    --------
    >>> Sparse(target=0.1).params()["target"]
    0.1
    """

    name = "sparse"

    latent: int = param(0, low=0, high=100_000, help="Width of the code; 0 takes four times the columns, 32 to 256.")
    target: float = param(0.1, low=1e-4, high=0.5, help="The share of rows that a unit is to be active for.")
    l1: float = param(1e-3, low=0.0, high=100.0, help="Weight of the mean absolute activation.")
    kl: float = param(0.1, low=0.0, high=100.0, help="Weight of the divergence of the rates from the target.")

    def build(self, layout: Layout) -> SparseAutoencoder:
        """Return the network for this layout."""
        return SparseAutoencoder(layout, self.latent or wide_code(layout), self.target)

    def loss(self, net: SparseAutoencoder, x: Tensor, observed: Tensor) -> Tensor:
        """Mean negative log-likelihood of the observed cells (nats per cell), plus the penalty on the code."""
        x, observed, *shown = split_rows(x, observed, *self.corrupt(x, observed))
        code = net.encode(*shown)
        return net.heads.mean_nll(net.decode(code), x, observed) + self.sparsity(net, code)

    def sparsity(self, net: SparseAutoencoder, code: Tensor) -> Tensor:
        """Return the penalty of a batch's codes, [n, latent]; in training the tracked rate moves towards them."""
        now = mean_of_batch(code.mean(dim=0))
        tracked = net.rate + (1 - RATE_DECAY) * (now.detach() - net.rate)
        if net.training:
            net.rate.copy_(tracked)
        rate = tracked + now - now.detach()
        return part_of_mean(self.l1 * code.abs().mean() + self.kl * bernoulli_divergence(self.target, rate).mean())
