"""Restricted Boltzmann machines one above the other, and their training layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.errors import ParameterError
from anomalo.neural import Batch, Phase
from anomalo.plugin import Layout, param
from anomalo_boltzmann.divergence import Settings, Source, optimizer, update_machine
from anomalo_boltzmann.layers import Layer, layer_of
from anomalo_boltzmann.likelihood import LikelihoodModel
from anomalo_boltzmann.machine import Machine
from anomalo_boltzmann.units import VisibleUnits

NOTHING = Layout("table", (0,), ())


class Stack(nn.Module):
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
        See `Machine`.
    """

    layers: Any

    def __init__(
        self, units: VisibleUnits, widths: Sequence[int], chains: int, copies: Sequence[tuple[int, int]]
    ) -> None:
        super().__init__()
        below = [units, *(VisibleUnits(NOTHING, extra=width) for width in widths[:-1])]
        self.layers = nn.ModuleList(
            Machine(*pair, chains=chains, copies=both) for *pair, both in zip(below, widths, copies, strict=True)
        )

    def up(self, v: Tensor, seen: Tensor, depth: int) -> list[Tensor]:
        """Return the hidden units' probabilities [n, hidden] of the lowest `depth` machines, by a mean-field pass."""
        found: list[Tensor] = []
        for machine in self.layers[:depth]:
            found.append(machine.hidden.mean(machine.drive(found[-1])) if found else machine.codes(v, seen))
        return found

    def source(self, k: int) -> Source:
        """Return what turns a batch (values, observed) into the visible units of machine k: below, states are drawn."""

        def visible(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            v, seen = self.layers[0].units.encode(x, observed)
            for at, machine in enumerate(self.layers[:k]):
                h = machine.hidden.mean(machine.drive(v)) if at else machine.codes(v, seen)
                v = torch.bernoulli(h)
            return v, (torch.ones_like(v, dtype=torch.bool) if k else seen)

        return visible


@dataclass(kw_only=True)
class DeepModel(LikelihoodModel):
    """A model that is trained layer by layer first."""

    hidden: tuple[int, ...] = param((64, 32), low=1, high=100_000, help="Hidden units of each layer, bottom up.")
    epochs: int = param(30, low=1, high=100_000, help="Passes over the rows for each layer; training stops early.")
    persistent: bool = param(True, help="Whether the chains of the negative phase go on from step to step.")
    steps: int = param(1, low=1, high=10_000, help="Gibbs sweeps of the negative phase in each step.")
    chains: int = param(100, low=1, high=100_000, help="Persistent chains.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.hidden) < 2:
            raise ParameterError(
                f"got hidden={self.hidden}; a deep machine has two layers at least: give, say, (64, 32)"
            )

    def stack(self, net: nn.Module) -> Stack:
        """Return the machines of a network that `build` made."""
        assert isinstance(net, Stack)
        return net

    def settings(self) -> Settings:
        """Return how to learn."""
        return Settings(self.steps, self.persistent, self.weight_decay)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimiser of one phase."""
        return [optimizer(parameters, self.learning_rate, self.momentum)]

    def alone(self, net: nn.Module) -> list[Phase]:
        """Return a phase for each layer, bottom up."""
        return [self._layer(self.stack(net), k) for k in range(len(self.hidden))]

    def _layer(self, stack: Stack, k: int) -> Phase:
        machine, source = stack.layers[k], stack.source(k)

        def surprise(net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
            v, seen = source(x, observed)
            again = machine.rows(machine.codes(v, seen))
            return (machine.units.surprise(v, again) * seen).sum() / len(v)

        update = partial(update_machine, machine, source=source, settings=self.settings())
        return Phase(f"layer {k + 1}", list(machine.parameters()), self.epochs, update, surprise)

    def monitor(self, net: nn.Module, phase: str, train: Batch, held: Batch) -> dict[str, float]:
        """Return the mean free energy of training and held-out rows, in the machine that is being trained."""
        if not phase.startswith("layer "):
            return super().monitor(net, phase, train, held)
        k = int(phase.split()[1]) - 1
        stack = self.stack(net)
        machine, source = stack.layers[k], stack.source(k)
        named = {"free_energy": train, "held_out_free_energy": held}
        return {name: float(machine.marginal(*source(*rows))[0].mean()) for name, rows in named.items()}

    def layers(self) -> list[Layer]:
        """Return the layers that were trained alone, bottom up: (weight, hidden bias, visible bias) of each."""
        return [layer_of(machine) for machine in self.stack(self.net).layers]
