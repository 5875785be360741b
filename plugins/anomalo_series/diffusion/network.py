"""The network that removes noise from windows of which some cells are known."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from anomalo.neural import LevelEmbedding
from anomalo_series.networks.layers import Steps, bridge

STEPS = 64
"""Steps of a window, at most; a longer window's step is several points."""
REACH = 3
"""Steps that a convolution looks at, apart from each other by its dilation."""
DILATIONS = (1, 2, 4, 8)
"""Of the layers, in turn."""


class GatedLayer(nn.Module):
    """A dilated convolution, gated and beside a direct path, at a time of the noise.

    Reference: Kong, Ping, Huang, Zhao and Catanzaro (2021), DiffWave: a versatile diffusion model for audio synthesis,
    ICLR.

    Parameters
    ----------
    width : int
        Features of a step.
    dilation : int
        Steps from one that is looked at to the next.
    """

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.time = nn.Linear(width, width)
        self.convolution = nn.Conv1d(width, 2 * width, REACH, padding=dilation * (REACH // 2), dilation=dilation)
        self.out = nn.Conv1d(width, 2 * width, 1)

    def forward(self, features: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [n, width, steps] for the next layer, and for the sum of all layers."""
        gate, value = self.convolution(features + self.time(time)[:, :, None]).chunk(2, dim=1)
        direct, summed = self.out(gate.sigmoid() * value.tanh()).chunk(2, dim=1)
        return (features + direct) * math.sqrt(0.5), summed


class WindowDenoiser(nn.Module):
    """Gated dilated convolutions over steps, with attention in front: what noise to take from which cell.

    Parameters
    ----------
    points, columns : int
        Of a window.
    width : int
        Features of a step.
    layers : int
        Of convolutions.
    """

    def __init__(self, points: int, columns: int, width: int, layers: int) -> None:
        super().__init__()
        self.steps = Steps(points, columns, STEPS)
        self.embed = nn.Linear(3 * self.steps.cells, width)
        self.position = nn.Parameter(0.02 * torch.randn(self.steps.count, width))
        self.time = LevelEmbedding(width)
        self.attention = nn.MultiheadAttention(width, math.gcd(width, 4), batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(GatedLayer(width, DILATIONS[at % len(DILATIONS)]) for at in range(layers))
        self.head = nn.Sequential(nn.Conv1d(width, width, 1), nn.SiLU(), nn.Conv1d(width, self.steps.cells, 1))

    def forward(self, noisy: Tensor, clean: Tensor, known: Tensor, time: Tensor) -> Tensor:
        """Return what is predicted of each cell, [n, T, columns].

        Parameters
        ----------
        noisy, clean : float32 [n, T, columns]
            With noise, and without; that without is seen where it is known, that with noise elsewhere, beside the
            straight lines between known cells.
        known : bool [n, T, columns]
        time : float32 [n]
            Of the noise, from 0 to 1.
        """
        shown = known.to(noisy.dtype)
        cells = [self.steps.cut(part) for part in (noisy * (1 - shown), bridge(clean, known), shown)]
        moment = self.time(time)
        features = self.embed(torch.cat(cells, dim=2)) + self.position + moment[:, None]
        seen = self.norm(features)
        features = features + self.attention(seen, seen, seen, need_weights=False)[0]
        features, total = features.transpose(1, 2), torch.zeros((), device=noisy.device)
        for layer in self.layers:
            features, summed = layer(features, moment)
            total = total + summed
        return self.steps.join(self.head(total / math.sqrt(len(self.layers))).transpose(1, 2))
