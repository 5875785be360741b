"""Features of the rest of a batch for the critic, so that it sees when all rows are alike."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALLEST_VARIANCE = 1e-8


class MinibatchDeviation(nn.Module):
    """Appends the mean over features of their standard deviation in the batch.

    Reference: Karras et al. (2018), Progressive growing of GANs, ICLR, section 3.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Map [n, width] to [n, width + 1], and maps of features [n, C, H, W] to [n, C + 1, H, W]."""
        deviation = features - features.mean(dim=0)
        mean = (deviation.square().mean(dim=0) + SMALLEST_VARIANCE).sqrt().mean()
        return torch.cat([features, mean.expand(len(features), 1, *features.shape[2:])], dim=1)


class MinibatchDiscrimination(nn.Module):
    """Appends how close a row's features are to those of the other rows, in several learned projections.

    o(x_i)_b = sum over j != i of exp(-||M_ib - M_jb||_1) / (n - 1) with M = features T.

    Reference: Salimans et al. (2016), Improved techniques for training GANs, NIPS, section 3.2; here the mean instead
    of the sum, so that the size of the batch does not matter.

    Parameters
    ----------
    width : int
        Of the features.
    kernels, dimensions : int
        Number of projections, and the dimension of each.
    """

    def __init__(self, width: int, kernels: int = 16, dimensions: int = 4) -> None:
        super().__init__()
        self.kernels, self.dimensions = kernels, dimensions
        self.project = nn.Linear(width, kernels * dimensions, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map [n, width] to [n, width + kernels]."""
        projected = self.project(features).view(-1, self.kernels, self.dimensions)
        distance = (projected[:, None] - projected[None]).abs().sum(dim=3)  # (n, n, kernels)
        closeness = ((-distance).exp().sum(dim=1) - 1) / max(len(features) - 1, 1)
        return torch.cat([features, closeness], dim=1)
