"""A variational recurrent autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from anomalo.neural import part_of_mean, split_rows
from anomalo.plugin import Encoded, Layout, Run, param
from anomalo_series.channels import Channels
from anomalo_series.networks.layers import hidden_cells
from anomalo_series.networks.recurrent import CELLS, Recurrence
from anomalo_series.networks.series_network import SeriesNetwork


class VariationalRecurrence(Recurrence):
    """A recurrent autoencoder whose code is normally distributed, and whose cells are, with one variance each column.

    Parameters are those of `Recurrence`.
    """

    def __init__(self, points: int, columns: int, width: int, latent: int, cell: str) -> None:
        super().__init__(points, columns, width, latent, cell)
        self.to_log_variance = nn.Linear(width, latent)
        self.log_scale = nn.Parameter(torch.zeros(columns))

    def posterior(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the codes of windows, each [n, latent]."""
        last = self.reader(self.steps.seen(x, observed))[0][:, -1]
        return self.to_code(last), self.to_log_variance(last).clamp(-10, 10)

    @property
    def spread(self) -> Tensor:
        """The deviation of cells, [columns]."""
        return self.log_scale.clamp(min=-5).exp()


@dataclass(kw_only=True)
class RecurrentVae(SeriesNetwork[VariationalRecurrence]):
    """Expects of a window what a variational recurrent autoencoder makes of the mean of its code.

    It maximises the evidence lower bound; in training the cells that are hidden are reconstructed too.

    References: Fabius and van Amersfoort (2015), Variational recurrent auto-encoders, ICLR workshop; Kingma and Welling
    (2014), Auto-encoding variational Bayes, ICLR.
    """

    name = "recurrent_vae"

    width: int = param(48, low=1, high=4096, help="Units of either recurrent layer.")
    latent: int = param(8, low=1, high=4096, help="Width of the code.")
    cell: str = param("gru", choices=tuple(CELLS), help="The recurrent unit.")
    beta: float = param(1.0, low=0.0, high=100.0, help="Weight of the divergence of the codes from the prior.")

    def build(self, layout: Layout) -> VariationalRecurrence:
        """Return the network for windows of this length."""
        return VariationalRecurrence(layout.shape[0], Channels(layout).count, self.width, self.latent, self.cell)

    def loss(self, net: VariationalRecurrence, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean negative evidence lower bound of a cell."""
        hidden = hidden_cells(x, self.hide) if self.hide > 0 else torch.zeros_like(observed)
        noise = torch.randn(len(x), self.latent, device=x.device)
        x, observed, hidden, noise = split_rows(x, observed, hidden, noise)
        mean, log_variance = net.posterior(x, observed & ~hidden)
        found = net.decode(mean + noise * (0.5 * log_variance).exp())
        return part_of_mean(self.bound(net, found, x, observed, divergence(mean, log_variance)))

    def bound(
        self, net: VariationalRecurrence, found: Tensor, x: Tensor, observed: Tensor, from_prior: Tensor
    ) -> Tensor:
        """Return the negative evidence lower bound of windows, less constants, for each of their observed cells."""
        surprisal = (0.5 * ((found - x) / net.spread).square() + net.spread.log()) * observed
        return (surprisal.sum() + self.beta * from_prior.sum()) / observed.sum().clamp(min=1)

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return windows of codes from the prior, or of those that observed cells suggest, each cell with its noise.

        Observed cells are kept; none is missing.
        """
        self.use(run.device)
        channels = Channels(given.layout)
        x, seen = channels.open(given)
        code = run.rng.standard_normal((len(x), self.latent)).astype(np.float32)
        noise = run.rng.standard_normal(x.shape).astype(np.float32)

        def windows(x: Tensor, observed: Tensor, code: Tensor, noise: Tensor) -> tuple[Tensor]:
            mean, log_variance = self.net.posterior(x, observed)
            known = observed.any(dim=2).any(dim=1)[:, None]
            code = torch.where(known, mean + (0.5 * log_variance).exp() * code, code)
            return (self.net.decode(code) + noise * self.net.spread,)

        drawn = channels.levels(self.in_chunks(windows, np.where(seen, x, 0).astype(np.float32), seen, code, noise)[0])
        return Encoded(np.where(given.observed, given.values, drawn), np.ones_like(given.observed), given.layout)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the divergence of normal codes with these means and log variances from standard normal ones, [n]."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1)
