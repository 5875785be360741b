"""A temporal convolutional autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomalo.plugin import Layout, param
from anomalo_series.channels import Channels
from anomalo_series.networks.series_network import SeriesNet, SeriesNetwork

REACH = 5
"""Points that a convolution looks at, apart from each other by its dilation."""
SHORTEST = 6
"""Windows are halved as long as so many steps are left."""


class Residual(nn.Module):
    """Two dilated convolutions beside a direct path."""

    def __init__(self, before: int, after: int, dilation: int) -> None:
        super().__init__()
        padding = dilation * (REACH // 2)
        self.path = nn.Sequential(
            nn.Conv1d(before, after, REACH, padding=padding, dilation=dilation),
            nn.ReLU(),
            nn.Conv1d(after, after, REACH, padding=padding, dilation=dilation),
        )
        self.direct = nn.Conv1d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return features of as many steps, [n, after, steps]."""
        return nn.functional.relu(self.path(x) + self.direct(x))


class TemporalConvolutions(SeriesNet):
    """Dilated convolutions and pooling down to a narrow sequence, and back.

    Windows that are pooled twice or more are pooled once before the first of them: steps of single points would take
    more than half of the time.

    Parameters
    ----------
    points, columns : int
        Of a window.
    width : int
        Features of each layer.
    latent : int
        Features of each of the few steps of the code.
    """

    def __init__(self, points: int, columns: int, width: int, latent: int) -> None:
        super().__init__()
        lengths = [points]
        while lengths[-1] // 2 >= SHORTEST:
            lengths.append(-(-lengths[-1] // 2))
        self.points, self.lengths = points, lengths[1:] if len(lengths) > 2 else lengths
        inner = len(self.lengths) - 1
        self.down = nn.ModuleList([Residual(2 * columns, width, 1), *(Residual(width, width, 2) for _ in range(inner))])
        self.narrow, self.wide = nn.Conv1d(width, latent, 1), nn.Conv1d(latent, width, 1)
        self.up = nn.ModuleList(Residual(width, width, 2 if level else 1) for level in range(inner, -1, -1))
        reach = REACH if self.lengths[0] < points else 1  # what is interpolated is not the same at all points
        self.heads = nn.Conv1d(width, columns, reach, padding=reach // 2)

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the reconstructions of windows."""
        shown = observed.to(x.dtype)
        features = torch.cat([x * shown, shown], dim=2).transpose(1, 2)
        for length, layer in zip(self.lengths, self.down, strict=True):
            shorter = features.shape[2] > length
            features = layer(nn.functional.avg_pool1d(features, 2, ceil_mode=True) if shorter else features)
        features = nn.functional.relu(self.wide(self.narrow(features)))
        for layer, longer in zip(self.up, self.lengths[::-1], strict=True):
            features = layer(nn.functional.interpolate(features, longer, mode="linear", align_corners=False))
        whole = nn.functional.interpolate(features, self.points, mode="linear", align_corners=False)
        found: Tensor = self.heads(whole).transpose(1, 2)
        return found


@dataclass(kw_only=True)
class Tcn(SeriesNetwork[TemporalConvolutions]):
    """Expects of a window what a temporal convolutional autoencoder reconstructs of it through a narrow sequence.

    References: Bai, Kolter and Koltun (2018), An empirical evaluation of generic convolutional and recurrent networks
    for sequence modeling, for dilated residual blocks; Thill, Konen, Wang and Bäck (2021), Temporal convolutional
    autoencoder for unsupervised anomaly detection in time series, Applied Soft Computing 112.
    """

    name = "tcn"

    epochs: int = param(10, low=1, high=100_000, help="Passes over the training windows at most; it may stop early.")
    width: int = param(16, low=1, high=4096, help="Features of each layer.")
    latent: int = param(1, low=1, high=4096, help="Features of each step of the code.")

    def build(self, layout: Layout) -> TemporalConvolutions:
        """Return the network for windows of this length."""
        return TemporalConvolutions(layout.shape[0], Channels(layout).count, self.width, self.latent)
