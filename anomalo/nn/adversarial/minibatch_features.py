"""Features of the rest of a batch for the critic, so that it sees when all rows are alike."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALLEST_VARIANCE = 1e-8


class MinibatchDeviation(nn.Module):
    """Appends the mean over features of their standard deviation in the batch, or among rows of equal labels.

    With labels it shows that the rows of a label are alike, which the deviation of the whole batch hides.

    Reference: Karras et al. (2018), Progressive growing of GANs, ICLR, section 3 (there without labels).
    """

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map [n, width] to [n, width + 1], and maps of features [n, C, H, W] to [n, C + 1, H, W]; labels are [n]."""
        deviation = features - (features.mean(dim=0) if labels is None else _means_of_labels(features, labels))
        mean = (deviation.square().mean(dim=0) + SMALLEST_VARIANCE).sqrt().mean()
        return torch.cat([features, mean.expand(len(features), 1, *features.shape[2:])], dim=1)


def _means_of_labels(features: Tensor, labels: Tensor) -> Tensor:
    """Return for each row the mean of the rows with its label."""
    same = (labels[:, None] == labels).to(features.dtype)
    return (same / same.sum(dim=1, keepdim=True) @ features.flatten(1)).view(features.shape)


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
