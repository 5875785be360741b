"""One likelihood per column for a network whose inputs are the visible units of a Boltzmann machine."""

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalo.neural import ColumnHeads
from anomalo.plugin import Encoded, Layout
from anomalo_boltzmann.networks.visible_units import VisibleUnits

SMALLEST_SHARE = 1e-3
"""No Bernoulli output starts nearer to an end."""


class UnitHeads(ColumnHeads):
    """Gaussian and softmax outputs as in `ColumnHeads`; numbers in Bernoulli units by their cross-entropy.

    -log p(v) = -v log q - (1 - v) log(1 - q), where v is the number scaled to [0, 1] by its bounds and q = sigmoid of
    the output.

    Parameters
    ----------
    layout : Layout
        The table's columns.
    width : int
        The width of the layer below.
    units : VisibleUnits
        Defines which numbers are Bernoulli units.
    """

    binary: Tensor
    low: Tensor
    width: Tensor
    output_of: Tensor

    def __init__(self, layout: Layout, width: int, units: VisibleUnits) -> None:
        super().__init__(layout, width)
        tables = {"binary": units.get_buffer("binary_numbers"), "low": units.low, "width": units.width}
        tables["output_of"] = torch.tensor(self._outputs(layout, units), dtype=torch.int64)
        for name, table in tables.items():
            self.register_buffer(name, table.clone(), persistent=False)

    def _outputs(self, layout: Layout, units: VisibleUnits) -> list[int]:
        """Return which output each visible unit has."""
        first = {}
        for group in self.groups:
            for row, position in enumerate(group.positions):
                first[position] = group.slice.start + row * group.width
        soft = [
            first[int(p)] + level for p, n in zip(layout.categories, units.levels, strict=True) for level in range(n)
        ]
        return [*units.gaussian_numbers.tolist(), *soft, *units.get_buffer("binary_numbers").tolist()]

    def initialise(self, data: Encoded) -> None:
        """Start from the table's means and level frequencies."""
        super().initialise(data)
        with torch.no_grad():
            share = ((self.encoded(torch.zeros_like(self.mean)))[self.binary] - self.low) / self.width
            self.linear.bias[self.binary] = torch.logit(share.clamp(SMALLEST_SHARE, 1 - SMALLEST_SHARE))

    @torch.no_grad()
    def copy_weights(self, weight: Tensor, bias: Tensor) -> None:
        """Copy the weights [units, width] and biases [units] of visible units for the outputs."""
        self.linear.weight.zero_()
        self.linear.weight[self.output_of] = weight
        self.linear.bias[self.output_of] = bias

    def center(self, parameters: Tensor) -> Tensor:
        """Return the expected numbers [n, numbers], standardised."""
        center = super().center(parameters)
        expected = self.low + self.width * torch.sigmoid(center[:, self.binary])
        return center.index_copy(1, self.binary, self._standard(expected))

    def _standard(self, numbers: Tensor) -> Tensor:
        """Return encoded numbers [..., binary] standardised."""
        return (numbers - self.mean[self.binary]) / self.deviation[self.binary]

    def _number_nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        nll = super()._number_nll(parameters, x)
        share = ((self.pick(x)[:, self.binary] - self.low) / self.width).clamp(0, 1)
        logit = parameters[:, : len(self.mean)].float()[:, self.binary]
        return nll.index_copy(1, self.binary, F.binary_cross_entropy_with_logits(logit, share, reduction="none"))

    def number_quantiles(self, parameters: Tensor, levels: Tensor) -> Tensor:
        """Return the standardised numbers below which the shares `levels` [n, k, numbers] lie: one of two ends."""
        quantiles = super().number_quantiles(parameters, levels)
        chance = torch.sigmoid(parameters[:, : len(self.mean)].float()[:, self.binary])[:, None]
        ends = self.low + self.width * (levels[..., self.binary] > 1 - chance)
        return quantiles.index_copy(2, self.binary, self._standard(ends))
