"""The networks of SetGAN: sets of points of any size."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class EquivariantLayer(nn.Module):
    """f(x)_i = A x_i + B mean(x) + C g: a permutation of the points permutes the results.

    Reference: Zaheer et al. (2017), Deep sets, NIPS, section 3.

    Parameters
    ----------
    before, after, whole : int
        Width of a point before and after, and of what is given of the set as a whole; 0 for nothing.
    """

    def __init__(self, before: int, after: int, whole: int = 0) -> None:
        super().__init__()
        self.each = nn.Linear(before, after)
        self.mean = nn.Linear(before, after, bias=False)
        self.whole = nn.Linear(whole, after, bias=False) if whole else None

    def forward(self, points: Tensor, whole: Tensor | None = None) -> Tensor:
        """Map [n, points, before], given [n, whole], to [n, points, after]."""
        out: Tensor = self.each(points) + self.mean(points.mean(dim=1, keepdim=True))
        return out if self.whole is None or whole is None else out + self.whole(whole)[:, None]


class SetGenerator(nn.Module):
    """Makes a set of points from a noise for the set and one for each point.

    References: Li et al. (2018), Point cloud GAN, arXiv:1810.05795; Zaheer et al. (2017), Deep sets, NIPS.

    Parameters
    ----------
    dimensions, noise, width : int
        Of a point, of both noises, and of the hidden layers.
    """

    def __init__(self, dimensions: int, noise: int, width: int) -> None:
        super().__init__()
        widths = [noise, width, width]
        self.layers = nn.ModuleList(
            EquivariantLayer(before, after, noise) for before, after in itertools.pairwise(widths)
        )
        self.output = EquivariantLayer(width, dimensions, noise)

    def forward(self, whole: Tensor, each: Tensor) -> Tensor:
        """Return points [n, points, dimensions] of noise [n, noise] and [n, points, noise]."""
        points = each
        for layer in self.layers:
            points = F.leaky_relu(layer(points, whole), 0.2)
        found: Tensor = self.output(points, whole)
        return found


class SetDiscriminator(nn.Module):
    """Features of each point, beside the set's mean, are pooled by mean and maximum: the order has no effect.

    References: as for `EquivariantLayer`; Qi, Su, Mo and Guibas (2017), PointNet, CVPR, for the maximum.

    Parameters
    ----------
    dimensions, width : int
        Of a point, and of the hidden layers.
    """

    def __init__(self, dimensions: int, width: int) -> None:
        super().__init__()
        self.first, self.second = EquivariantLayer(dimensions, width), EquivariantLayer(width, width)
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1))

    def forward(self, points: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [n] of sets [n, points, dimensions]; labels are not looked at."""
        hidden = F.leaky_relu(self.second(F.leaky_relu(self.first(points), 0.2)), 0.2)
        logits: Tensor = self.head(torch.cat([hidden.mean(dim=1), hidden.amax(dim=1)], dim=1)).squeeze(1)
        return logits
