"""Attention over the steps of a window, trained to fill hidden points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from anomalo.neural import part_of_mean, split_rows
from anomalo.plugin import Floats, Layout, Mask, param
from anomalo_series.channels import Channels, Energies
from anomalo_series.networks.layers import Steps, bridge, hidden_cells
from anomalo_series.networks.series_network import SeriesNet, SeriesNetwork

STEPS = 64
"""Steps of a window, at most."""
PASSES = 4
"""When windows are scored each step is hidden once, every so many of them together."""
NARROWEST = -4.0
"""The least log scale that a cell is expected with."""


class Attention(SeriesNet):
    """A transformer encoder over steps: location and log scale of each cell's Laplace distribution.

    Parameters
    ----------
    points, columns : int
        Of a window.
    width : int
        Features of a step.
    layers : int
        Of the encoder.
    """

    def __init__(self, points: int, columns: int, width: int, layers: int) -> None:
        super().__init__()
        self.steps = Steps(points, columns, STEPS)
        self.embed = nn.Linear(2 * self.steps.cells, width)
        self.position = nn.Parameter(0.02 * torch.randn(self.steps.count, width))
        layer = nn.TransformerEncoderLayer(
            width, math.gcd(width, 4), 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.location, self.scale = nn.Linear(width, self.steps.cells), nn.Linear(width, self.steps.cells)

    def distribution(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return location and log scale of all cells given the observed ones, each [n, T, columns]."""
        lines = bridge(x, observed)
        seen = torch.cat([self.steps.cut(lines), self.steps.cut(observed.to(x.dtype))], dim=2)
        features = self.encoder(self.embed(seen) + self.position)
        location, scale = (self.steps.join(head(features)) for head in (self.location, self.scale))
        return lines + location, NARROWEST + nn.functional.softplus(scale - NARROWEST)

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the locations of all cells."""
        return self.distribution(x, observed)[0]


@dataclass(kw_only=True)
class MaskedSeries(SeriesNetwork[Attention]):
    """Fills hidden points with the medians that attention expects, and scores points by their surprisal when hidden.

    It learns to fill random points and stretches, each cell with a Laplace distribution. To score a window, every
    fourth step is hidden, four times; a cell's energy is |x - m| / b, with m and b of the pass in which it is hidden.

    Reference: Du, Côté and Liu (2023), SAITS: self-attention-based imputation for time series, Expert Systems with
    Applications 219; Vaswani et al. (2017), Attention is all you need, NeurIPS.
    """

    name = "masked_series"

    epochs: int = param(40, low=1, high=100_000, help="Passes over the training windows at most; it may stop early.")
    learning_rate: float = param(4e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    most: int = param(4000, low=1, high=10_000_000, help="Training windows that are learned from, at most, at random.")
    hide: float = param(0.35, low=0.01, high=0.9, help="Share of cells that are hidden in training.")
    width: int = param(64, low=4, high=4096, help="Features of a step.")
    layers: int = param(2, low=1, high=32, help="Layers of attention.")

    def build(self, layout: Layout) -> Attention:
        """Return the network for windows of this length."""
        return Attention(layout.shape[0], Channels(layout).count, self.width, self.layers)

    def loss(self, net: Attention, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean surprisal of hidden cells, and a tenth of that of the others, in nats less a constant."""
        hidden = hidden_cells(x, self.hide)
        x, observed, hidden = split_rows(x, observed, hidden)
        location, scale = net.distribution(x, observed & ~hidden)
        surprisal = (x - location).abs() / scale.exp() + scale
        weight = observed * torch.where(hidden, 1.0, 0.1)
        return part_of_mean((surprisal * weight).sum() / weight.sum().clamp(min=1e-6))

    def energies(self, x: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the distance of cells to their medians when hidden, in scales, and these medians."""
        steps = self.net.steps
        number = (np.arange(steps.points) + steps.before) // steps.length % min(PASSES, steps.count)
        energies, expected = np.zeros(x.shape), np.zeros(x.shape, dtype=np.float32)
        for turn in range(min(PASSES, steps.count)):
            here = number == turn
            location, scale = self.in_chunks(self.net.distribution, x, seen & ~here[:, None])
            distance = np.abs(x.astype(np.float64) - location) / np.exp(scale, dtype=np.float64)
            energies[:, here], expected[:, here] = distance[:, here], location[:, here]
        return np.where(seen, energies, 0.0), expected

    def expected(self, x: Floats, seen: Mask) -> Floats:
        """Return the medians of all cells given those that are observed."""
        return self.in_chunks(lambda values, observed: (self.net(values, observed),), x, seen)[0]
