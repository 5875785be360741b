"""The stacked autoencoder: deep and symmetrical, with tied weights and layer-by-layer training as options."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import (
    CodeNetwork,
    ColumnHeads,
    ModuleTuple,
    Phase,
    Reconstructor,
    activate,
    part_of_mean,
    split_rows,
)
from anomalo.plugin import Layout, param
from anomalo_autoencoders.code_width import narrow_code


class StackedNet(CodeNetwork):
    """Layers down to a code and back up; tied ones go up by the transpose of the same matrix."""

    def __init__(self, layout: Layout, widths: tuple[int, ...], tied: bool) -> None:
        super().__init__()
        self.tied, self.act = tied, activate("silu")
        self.heads = ColumnHeads(layout, widths[0])
        sizes = [self.heads.linear.out_features, *widths]
        self.down = ModuleTuple(nn.Linear(sizes[k], sizes[k + 1]) for k in range(len(widths)))
        self.up = ModuleTuple(nn.Linear(sizes[k + 1], sizes[k]) for k in range(1, len(widths)))
        for layer in (*self.up, self.down[0]) if tied else ():
            del layer.weight

    def encode(self, x: Tensor, observed: Tensor, depth: int | None = None) -> Tensor:
        """Return the code, [n, latent], or the output of the lowest `depth` layers."""
        hidden = self.heads.units(x, observed)
        for k in range(len(self.down) if depth is None else depth):
            hidden = self.descend(hidden, k)
        return hidden

    def descend(self, hidden: Tensor, k: int) -> Tensor:
        """Apply layer k; only the last one is linear."""
        weight = self.heads.linear.weight.T if self.tied and k == 0 else self.down[k].weight
        out = F.linear(hidden, weight, self.down[k].bias)
        return out if k + 1 == len(self.down) else self.act(out)

    def ascend(self, hidden: Tensor, k: int) -> Tensor:
        """Undo layer k >= 1."""
        layer = self.up[k - 1]
        return F.linear(hidden, self.down[k].weight.T if self.tied else layer.weight, layer.bias)

    def decode(self, code: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods for codes [n, latent]."""
        for k in range(len(self.down) - 1, 0, -1):
            code = self.act(self.ascend(code, k))
        parameters: Tensor = self.heads(code)
        return parameters


@dataclass(kw_only=True)
class Stacked(Reconstructor[StackedNet]):
    """A deep symmetrical autoencoder.

    Minimises the mean negative log-likelihood of the observed cells, given the code of a row in which some are
    hidden. With `greedy`, each layer k is first trained alone to reconstruct its input,
    loss_k = mean ||h - up_k(act(down_k h))||^2 with h from the layers below it; then all are fine-tuned.

    Reference: Hinton and Salakhutdinov (2006), Science 313; Bengio et al. (2007), Greedy layer-wise training of
    deep networks, NIPS.

    Examples
    --------
    >>> Stacked(tied=True).params()["tied"]
    True
    """

    name = "stacked"

    hidden: tuple[int, ...] = param((128, 64, 32), low=1, high=100_000, help="Widths of the encoder's hidden layers.")
    latent: int = param(0, low=0, high=100_000, help="Width of the code; 0 takes a third of the columns, at most 16.")
    tied: bool = param(False, help="Whether the decoder's matrices are the encoder's, transposed.")
    greedy: int = param(0, low=0, high=100_000, help="Epochs of training for each layer alone, before all together.")

    def build(self, layout: Layout) -> StackedNet:
        """Return the network for this layout."""
        latent = self.latent or narrow_code(layout)
        return StackedNet(layout, (*self.hidden, latent), self.tied)

    def phases(self, net: StackedNet) -> list[Phase]:
        """Return a phase for each layer, if `greedy`, and one for all."""
        together = super().phases(net)
        if not self.greedy:
            return together
        alone = []
        for k in range(len(net.down)):
            loss = partial(self._layer_loss, k)
            modules = [net.down[k], net.heads if k == 0 else net.up[k - 1]]
            parameters = [parameter for module in modules for parameter in module.parameters()]
            alone.append(Phase(f"layer {k + 1}", parameters, self.greedy, partial(self.step, net, loss=loss), loss))
        return [*alone, *together]

    def _layer_loss(self, k: int, net: StackedNet, x: Tensor, observed: Tensor) -> Tensor:
        x, observed, shown, seen = split_rows(x, observed, *self.corrupt(x, observed))
        if k == 0:
            return net.heads.mean_nll(net.heads(net.encode(shown, seen, depth=1)), x, observed)
        with torch.no_grad():
            below = net.encode(shown, seen, depth=k)
        return part_of_mean(F.mse_loss(net.ascend(net.descend(below, k), k), below))
