"""What networks of windows share: some training windows, parts of which are hidden, and residuals in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

from anomalo.neural import ArrayRows, NeuralModel, part_of_mean, split_rows
from anomalo.plugin import Encoded, Floats, Mask, Run, param
from anomalo_series.channels import Channels
from anomalo_series.networks.layers import hidden_cells
from anomalo_series.window_model import BLOCK, ExpectingModel


class SeriesNet(nn.Module):
    """A network that reconstructs windows."""

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return windows [n, T, columns], of what is seen of them."""
        raise NotImplementedError


Net = TypeVar("Net", bound=SeriesNet, default=SeriesNet)


@dataclass(kw_only=True)
class SeriesNetwork(NeuralModel[Net], ExpectingModel):
    """Trains a network to reconstruct windows; in some of them cells are hidden, and have to be filled."""

    epochs: int = param(15, low=1, high=100_000, help="Passes over the training windows at most; it may stop early.")
    batch_size: int = param(128, low=1, high=100_000, help="Windows in one gradient step, at most.")
    learning_rate: float = param(5e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    most: int = param(2000, low=1, high=10_000_000, help="Training windows that are learned from, at most, at random.")
    hide: float = param(0.2, low=0.0, high=0.9, help="Share of cells that are hidden in training.")

    @property
    def chunk(self) -> int:
        """Windows that inference handles at a time."""
        return BLOCK

    def columns(self) -> int:
        """Return how many columns the channels have."""
        return Channels(self.layout_).count

    def training_data(self, data: Encoded, run: Run) -> ArrayRows:
        """Return some of the windows, their categories opened."""
        rows = np.sort(run.rng.permutation(len(data))[: self.most])
        return ArrayRows(*Channels(data.layout).open(data.take(rows)), device=run.device)

    def loss(self, net: Net, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean squared error of the cells that are observed, hidden ones among them."""
        hidden = hidden_cells(x, self.hide) if self.hide > 0 else torch.zeros_like(observed)
        x, observed, hidden = split_rows(x, observed, hidden)
        return part_of_mean(mean_square(net(x, observed & ~hidden), x, observed))

    def finish(self, data: Encoded, run: Run) -> None:
        """Learn the mean energy of training windows."""
        self.net.eval()
        self.learn_level(data, run)

    def expected(self, x: Floats, seen: Mask) -> Floats:
        """Return the reconstructions of windows."""
        return self.in_chunks(lambda values, observed: (self.net(values, observed),), x, seen)[0]


def mean_square(found: Tensor, x: Tensor, observed: Tensor) -> Tensor:
    """Return the mean squared error over the cells that are observed, of all windows."""
    return ((found - x).square() * observed).sum() / observed.sum().clamp(min=1)
