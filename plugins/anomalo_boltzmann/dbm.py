"""The deep Boltzmann machine: layers of hidden units, each connected to the next in both directions."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.optim import Optimizer

from anomalo.errors import ParameterError
from anomalo.neural import Phase, Step
from anomalo.plugin import Layout, param
from anomalo_boltzmann.divergence import update_machine
from anomalo_boltzmann.machine import Machine
from anomalo_boltzmann.stack import DeepModel, Stack
from anomalo_boltzmann.units import VisibleUnits


class DeepNet(nn.Module):
    """The whole as one restricted machine, and the stack that it is composed of.

    Layers 0 (the table) and 2 only touch layers 1 and 3: with the even layers on one side and the odd ones on the
    other, a deep machine is a restricted one whose layer 2 is never observed, and everything that is known of that
    applies, from mean field to annealed importance sampling.
    """

    def __init__(self, layout: Layout, widths: tuple[int, ...], numbers: str, chains: int) -> None:
        super().__init__()
        last = len(widths) - 1
        copies = [(1 if k == last else 2, 1 if k == 0 else 2) for k in range(len(widths))]
        self.stack = Stack(VisibleUnits(layout, numbers), widths, chains, copies)
        first, second, *third = widths
        units = VisibleUnits(layout, numbers, extra=second)
        mask = torch.ones(units.count, first + sum(third))
        mask[: units.binary.stop, first:] = 0
        self.machine = Machine(units, first + sum(third), chains=chains, mask=mask)
        self.machine.bound()

    @torch.no_grad()
    def compose(self) -> None:
        """Put the layers together: what both machines beside a layer say of its bias is averaged."""
        layers, machine = self.stack.layers, self.machine
        table, first = layers[0].units.binary.stop, len(layers[0].bias)
        machine.weight[:table, :first] = layers[0].weight
        machine.weight[table:, :first] = layers[1].weight.T
        machine.units.bias[:table] = layers[0].units.bias
        machine.units.log_variance.copy_(layers[0].units.log_variance)
        machine.bias[:first] = (layers[0].bias + layers[1].units.bias) / 2
        machine.units.bias[table:] = layers[1].bias
        if len(layers) == 3:
            machine.weight[table:, first:] = layers[2].weight
            machine.units.bias[table:] = (layers[1].bias + layers[2].units.bias) / 2
            machine.bias[first:] = layers[2].bias


@dataclass(kw_only=True)
class DeepBoltzmann(DeepModel):
    """A deep Boltzmann machine with two or three hidden layers, scored by its variational free energy.

    The layers are trained alone first, with their inputs doubled where the whole will have a layer on the other side,
    and then together: the positive phase by mean field, the negative one by persistent chains. Codes are the
    probabilities of the first hidden layer, and of the third.

    Reference: Salakhutdinov and Hinton (2009), Deep Boltzmann machines, AISTATS; Salakhutdinov and Hinton (2012), An
    efficient learning procedure for deep Boltzmann machines, Neural Computation 24.

    Examples
    --------
    >>> DeepBoltzmann(hidden=(32, 16, 8)).params()["greedy"]
    True
    """

    name = "dbm"

    greedy: bool = param(True, help="Whether each layer is trained alone first, for as many epochs as all together.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.hidden) > 3:
            raise ParameterError(
                f"got hidden={self.hidden}; a deep Boltzmann machine has two or three hidden layers here"
            )

    def core(self, net: nn.Module) -> Machine:
        """Return the whole machine."""
        assert isinstance(net, DeepNet)
        return net.machine

    def stack(self, net: nn.Module) -> Stack:
        """Return the machines that the layers are trained with."""
        assert isinstance(net, DeepNet)
        return net.stack

    def build(self, layout: Layout) -> nn.Module:
        """Return the network for this layout."""
        return DeepNet(layout, self.hidden, self.numbers, self.chains if self.persistent else 0)

    def phases(self, net: nn.Module) -> list[Phase]:
        """Return a phase for each layer, and one for all."""
        assert isinstance(net, DeepNet)
        parameters = list(net.machine.parameters())
        alone = self.alone(net) if self.greedy else []
        return [*alone, Phase("together", parameters, self.epochs, partial(self._together, net))]

    def _together(self, net: DeepNet, optimizers: list[Optimizer]) -> Step:
        if self.greedy:
            net.compose()
        return update_machine(net.machine, optimizers, source=net.machine.units.encode, settings=self.settings())
