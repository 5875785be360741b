"""The deep network that a stack of Boltzmann machines is unrolled into."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anomalo.neural import CodeNetwork, ModuleTuple
from anomalo.plugin import Floats, Layout
from anomalo_boltzmann.networks.hidden_units import HIDDEN_KINDS
from anomalo_boltzmann.networks.unit_heads import UnitHeads
from anomalo_boltzmann.networks.visible_units import VisibleUnits

SMALL_SCALE = 0.01
"""Standard deviation of weights that start small."""


class UnrolledNet(CodeNetwork):
    """Layers of sigmoid (or softplus) units down to a linear code, and as many back up.

    Parameters
    ----------
    layout : Layout
        The table's columns.
    widths : sequence of int
        Units of each layer, bottom up; the last one is the code.
    numbers, kind : str
        Kinds of the visible and of the hidden units.
    """

    heads: UnitHeads

    def __init__(self, layout: Layout, widths: Sequence[int], numbers: str, kind: str) -> None:
        super().__init__()
        self.hidden = HIDDEN_KINDS[kind]
        self.units = VisibleUnits(layout, numbers).requires_grad_(False)
        sizes = [self.units.count, *widths]
        pairs = list(itertools.pairwise(sizes))
        self.down = ModuleTuple(nn.Linear(below, above) for below, above in pairs)
        self.up = ModuleTuple(nn.Linear(above, below) for below, above in pairs[1:])
        self.heads = UnitHeads(layout, widths[0], self.units)

    def visible(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the visible units [n, units]; what is unknown has its mean over the training rows."""
        v, seen = self.units.encode(x, observed)
        return torch.where(seen, v, self.units.expect(torch.zeros_like(v)))

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the code, [n, latent]."""
        h = self.visible(x, observed)
        for layer in self.down[:-1]:
            h = self.hidden.mean(layer(h))
        code: Tensor = self.down[-1](h)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods for codes [n, latent]."""
        for layer in reversed(self.up):
            code = self.hidden.mean(layer(code))
        parameters: Tensor = self.heads(code)
        return parameters

    @torch.no_grad()
    def draw_weights(self, modern: bool) -> None:
        """Draw the weights: by Glorot and Bengio (2010), four times as large for sigmoids, or small ones."""
        for layer in (*self.down, *self.up):
            nn.init.zeros_(layer.bias)
            if modern:
                nn.init.xavier_uniform_(layer.weight, gain=4.0)
            else:
                nn.init.normal_(layer.weight, std=SMALL_SCALE)

    @torch.no_grad()
    def unroll(self, layers: Sequence[tuple[Floats, Floats, Floats]], units: VisibleUnits) -> None:
        """Copy the layers of Boltzmann machines: the encoder as they are, the decoder by their transposes.

        Parameters
        ----------
        layers : sequence of (weight, hidden bias, visible bias)
            Bottom up; see `CanPretrain`.
        units : VisibleUnits
            Those of the lowest layer.
        """
        for part in (self.units, self.heads):
            part.mean.copy_(units.mean)
            part.deviation.copy_(units.deviation)
        for k, layer in enumerate(layers):
            weight, above, below = (torch.from_numpy(array) for array in layer)
            ones = torch.ones(1, len(below), device=units.bias.device)
            scale = (ones if k else units.features(ones))[0].cpu()
            self.down[k].weight.copy_((scale[:, None] * weight).T)
            self.down[k].bias.copy_(above)
            if k:
                self.up[k - 1].weight.copy_(weight)
                self.up[k - 1].bias.copy_(below)
            else:
                self.heads.copy_weights(weight, below)

    @torch.no_grad()
    def linearise(self, x: Tensor, observed: Tensor) -> None:
        """Decode the linear code to the values nearest to the activation of the units at the top.

        Each unit's activation is replaced by its least-squares line over some rows, and the line becomes part of the
        layer above the code.
        """
        total = self.encode(x, observed)
        start, slope = least_squares_lines(total, self.hidden.mean(total))
        after = self.up[-1] if len(self.up) else self.heads.linear
        after.bias.add_(after.weight @ start)
        after.weight.mul_(slope)


def least_squares_lines(inputs: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the intercepts and slopes [k] of the least-squares lines from `inputs` to `outputs`, [n, k] each."""
    mean = inputs.mean(dim=0)
    centred = inputs - mean
    slope = (centred * outputs).mean(dim=0) / centred.square().mean(dim=0).clamp(min=1e-12)
    return outputs.mean(dim=0) - slope * mean, slope
