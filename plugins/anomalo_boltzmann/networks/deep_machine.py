"""The network of a deep Boltzmann machine: its layers one by one, and the whole as one restricted machine."""

import torch
from torch import nn

from anomalo.plugin import Layout
from anomalo_boltzmann.networks.machine_stack import MachineStack
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleUnits


class DeepMachine(nn.Module):
    """The whole as one restricted machine, and the stack that it is composed of.

    Layers 0 (the table) and 2 only touch layers 1 and 3: with the even layers on one side and the odd ones on the
    other, a deep machine is a restricted one whose layer 2 is never observed, and everything that is known of that
    applies, from mean field to annealed importance sampling.
    """

    def __init__(self, layout: Layout, widths: tuple[int, ...], numbers: str, chains: int) -> None:
        super().__init__()
        last = len(widths) - 1
        copies = [(1 if k == last else 2, 1 if k == 0 else 2) for k in range(len(widths))]
        self.stack = MachineStack(VisibleUnits(layout, numbers), widths, chains, copies)
        first, second, *third = widths
        units = VisibleUnits(layout, numbers, extra=second)
        mask = torch.ones(units.count, first + sum(third))
        mask[: units.binary.stop, first:] = 0
        self.machine = RestrictedMachine(units, first + sum(third), chains=chains, mask=mask)
        self.machine.constrain()

    @torch.no_grad()
    def compose(self) -> None:
        """Compose the layers; a layer's bias is the mean of those in the two machines beside it."""
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
