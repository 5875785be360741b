"""The unrolled autoencoder: a stack of Boltzmann machines as a deep network, fine-tuned by gradient descent."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from anomalo.errors import UsageError
from anomalo.neural import Reconstructor
from anomalo.plugin import CanPretrain, Encoded, Floats, Layout, Run, param
from anomalo_boltzmann.energy import EnergyModel
from anomalo_boltzmann.hidden import KINDS
from anomalo_boltzmann.outputs import UnitHeads
from anomalo_boltzmann.units import VisibleUnits

ROWS = 4096
"""Rows that the code is made linear on, at most."""
SMALL = 0.01
"""Standard deviation of weights that start small."""


class UnrolledNet(nn.Module):
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

    def __init__(self, layout: Layout, widths: Sequence[int], numbers: str, kind: str) -> None:
        super().__init__()
        self.hidden = KINDS[kind]
        self.units = VisibleUnits(layout, numbers).requires_grad_(False)
        sizes = [self.units.count, *widths]
        pairs = list(itertools.pairwise(sizes))
        self.down = nn.ModuleList(nn.Linear(below, above) for below, above in pairs)
        self.up = nn.ModuleList(nn.Linear(above, below) for below, above in pairs[1:])
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

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods."""
        return self.decode(self.encode(x, observed))

    @torch.no_grad()
    def draw(self, modern: bool) -> None:
        """Draw the weights: by Glorot and Bengio (2010), four times as large for sigmoids, or small ones."""
        for layer in (*self.down, *self.up):
            nn.init.zeros_(layer.bias)
            if modern:
                nn.init.xavier_uniform_(layer.weight, gain=4.0)
            else:
                nn.init.normal_(layer.weight, std=SMALL)

    @torch.no_grad()
    def unroll(self, layers: Sequence[tuple[Floats, Floats, Floats]], units: VisibleUnits) -> None:
        """Take the layers of Boltzmann machines: the way up as they are, the way down by their transposes.

        Parameters
        ----------
        layers : sequence of (weight, hidden bias, visible bias)
            Bottom up; see `CanPretrain`.
        units : VisibleUnits
            Those of the lowest layer.
        """
        for own in (self.units, self.heads):
            own.mean.copy_(units.mean)
            own.spread.copy_(units.spread)
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
                self.heads.take(weight, below)

    @torch.no_grad()
    def linearise(self, x: Tensor, observed: Tensor) -> None:
        """Give back, from the linear code, what comes nearest to the activation of the units at the top.

        Each unit's activation is replaced by its least-squares line over some rows, and the line becomes part of the
        layer above the code.
        """
        total = self.encode(x, observed)
        start, slope = lines(total, self.hidden.mean(total))
        after = self.up[-1] if len(self.up) else self.heads.linear
        after.bias.add_(after.weight @ start)
        after.weight.mul_(slope)


@dataclass(kw_only=True)
class Unrolled(Reconstructor):
    """A deep autoencoder that starts from a pretrained stack of restricted Boltzmann machines.

    With `--from` a deep belief network (or a single machine), its layers become the encoder and, transposed, the
    decoder, around a linear code; then all weights are tuned together. Without, the same network starts from random
    weights. Minimises the mean negative log-likelihood of the observed cells given the code, in which Bernoulli units
    count by their cross-entropy.

    Reference: Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural networks, Science 313.

    Examples
    --------
    >>> Unrolled(hidden=(32, 4)).params()["weights"]
    'modern'
    """

    name = "unrolled"

    hidden: tuple[int, ...] = param(
        (128, 64, 16), low=1, high=100_000, help="Units of each layer, the code last, if it does not start from others."
    )
    numbers: str = param(
        "auto", choices=("auto", "gaussian", "bernoulli"), help="Units for numbers, if it does not start from others."
    )
    weights: str = param(
        "modern", choices=("modern", "small"), help="Random weights: scaled to the layers' widths, or small ones."
    )
    learning_rate: float = param(1e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")

    def build(self, layout: Layout) -> nn.Module:
        """Return the network for this layout."""
        return UnrolledNet(layout, self.widths_, self.numbers_, self.kind_)

    def begin(self, data: Encoded, run: Run) -> None:
        """Build the network, as large as what it starts from, and start.

        Raises
        ------
        UsageError
            `run.initial` is neither a stack of Boltzmann machines nor a network like this one.
        """
        initial: Any = run.initial
        self.widths_, self.numbers_, self.kind_ = list(self.hidden), self.numbers, "bernoulli"
        if isinstance(initial, Unrolled):
            self.widths_, self.numbers_, self.kind_ = list(initial.widths_), initial.numbers_, initial.kind_
        elif _is_stack(initial):
            self.widths_ = [len(above) for _, above, _ in initial.layers()]
            self.numbers_, self.kind_ = initial.numbers, getattr(initial, "units", "bernoulli")
        super().begin(data, run)
        assert isinstance(self.net, UnrolledNet)
        if initial is None:
            self.net.draw(self.weights == "modern")
        elif _is_stack(initial):
            rows = data.take(slice(0, ROWS))
            self.net.linearise(torch.tensor(rows.values), torch.tensor(rows.observed))

    def start(self, initial: Any) -> None:
        """Unroll the layers of Boltzmann machines, or load the weights of a network like this one."""
        assert isinstance(self.net, UnrolledNet)
        if isinstance(initial, Unrolled):
            super().start(initial)
        elif _is_stack(initial):
            self.net.unroll(initial.layers(), initial.core(initial.net).units)
        else:
            raise UsageError(
                f"model {self.name!r} cannot start from a {initial.name!r}: it has no layers; pretrain an rbm or a dbn"
            )


def lines(inputs: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the intercepts and slopes [k] of the least-squares lines from `inputs` to `outputs`, [n, k] each."""
    mean = inputs.mean(dim=0)
    centred = inputs - mean
    slope = (centred * outputs).mean(dim=0) / centred.square().mean(dim=0).clamp(min=1e-12)
    return outputs.mean(dim=0) - slope * mean, slope


def _is_stack(model: Any) -> bool:
    return isinstance(model, EnergyModel) and isinstance(model, CanPretrain)
