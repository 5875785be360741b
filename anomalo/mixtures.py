"""Likelihood heads whose numbers follow a mixture of Gaussians: several peaks, heavy tails, unequal noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalo.layers import LOG_TWO_PI, SMALLEST_SCALE, ColumnHeads
from anomalo.plugin import Encoded, Layout

UNIT_SCALE = math.log(math.e - 1)
"""softplus of this is 1."""


class MixtureHeads(ColumnHeads):
    """One likelihood per column: a mixture of Gaussians for numbers, softmax for categories.

    Weights, means and scales of a number's components are all predicted from the representation.

    Reference: Bishop (1994), Mixture density networks, Aston University NCRG/94/004.

    Parameters
    ----------
    layout : Layout
        The table's columns.
    width : int
        The width of the representation that the columns are predicted from.
    components : int
        Gaussians for each number.
    """

    def __init__(self, layout: Layout, width: int, components: int = 5) -> None:
        self.components = components
        self.per_number = 3 * components
        super().__init__(layout, width)

    def _add_number_parameters(self) -> None:
        """There are none but those that the network predicts."""

    def initialise(self, data: Encoded) -> None:
        """Start from components side by side, and from the levels' frequencies."""
        super().initialise(data)
        spaced = torch.linspace(-1.5, 1.5, self.components) if self.components > 1 else torch.zeros(1)
        with torch.no_grad():
            numbers = self.linear.bias[: self.per_number * len(self.mean)].view(-1, 3, self.components)
            numbers[:, 1] = spaced

    def mixture(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log weights, means and scales, each [n, numbers, components], for standardised numbers."""
        shape = (len(parameters), -1, 3, self.components)
        logits, means, raw = parameters[:, : self.per_number * len(self.mean)].float().reshape(shape).unbind(2)
        scales = SMALLEST_SCALE + F.softplus(raw + UNIT_SCALE) * (1 - SMALLEST_SCALE)
        return torch.log_softmax(logits, dim=2), means, scales

    def center(self, parameters: Tensor) -> Tensor:
        """Return the mixtures' means [n, numbers], standardised."""
        log_weights, means, _ = self.mixture(parameters)
        return (log_weights.exp() * means).sum(dim=2)

    def _number_nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        log_weights, means, scales = self.mixture(parameters)
        z = (self.standardise(x)[:, :, None] - means) / scales
        return -torch.logsumexp(log_weights - 0.5 * z.square() - scales.log(), dim=2) + 0.5 * LOG_TWO_PI
