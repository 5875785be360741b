"""A stack of restricted Boltzmann machines: the hidden units of one are the visible units of the next."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anomalo.neural import ModuleTuple
from anomalo.plugin import Layout
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleSource, VisibleUnits

NO_COLUMNS = Layout("table", (0,), ())
"""The layout of machines above the lowest, whose visible units stand for no column."""


class MachineStack(nn.Module):
    """Machines of which each has the hidden units of the one below as its visible ones.

    Parameters
    ----------
    units : VisibleUnits
        Of the lowest machine.
    widths : sequence of int
        Hidden units of each machine, bottom up.
    chains : int
        Persistent chains of each.
    copies : sequence of (int, int)
        See `RestrictedMachine`.
    """

    def __init__(
        self, units: VisibleUnits, widths: Sequence[int], chains: int, copies: Sequence[tuple[int, int]]
    ) -> None:
        super().__init__()
        below = [units, *(VisibleUnits(NO_COLUMNS, extra=width) for width in widths[:-1])]
        self.layers = ModuleTuple(
            RestrictedMachine(visible, hidden, chains=chains, copies=both)
            for visible, hidden, both in zip(below, widths, copies, strict=True)
        )

    def source(self, k: int) -> VisibleSource:
        """Return the function from a batch (values, observed) to machine k's visible units; states below are drawn."""

        def visible(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            v, seen = self.layers[0].units.encode(x, observed)
            for at, machine in enumerate(self.layers[:k]):
                h = machine.hidden.mean(machine.drive(v)) if at else machine.codes(v, seen)
                v = torch.bernoulli(h)
            return v, (torch.ones_like(v, dtype=torch.bool) if k else seen)

        return visible
