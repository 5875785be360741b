"""The Boltzmann machine in its first form, every unit connected with every other: for small tables and teaching."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.neural import Phase, Step
from anomalo.plugin import Encoded, Layout, Scores, param
from anomalo_boltzmann.learning.contrastive_divergence import adam_optimizer
from anomalo_boltzmann.likelihood.enumeration import MOST_STATES, visible_states
from anomalo_boltzmann.models.energy_model import EnergyModel
from anomalo_boltzmann.networks.fully_connected_machine import FullyConnectedMachine
from anomalo_boltzmann.networks.random_streams import batch_uniforms
from anomalo_boltzmann.networks.visible_units import VisibleUnits


@dataclass(kw_only=True)
class BoltzmannMachine(EnergyModel[FullyConnectedMachine]):
    """A small Boltzmann machine in which all units are connected, scored by its variational free energy.

    Every number is a Bernoulli unit between its bounds. Units are drawn one after the other, so that it is slow on more
    than a few dozen units; from `temperature`, sampling cools down to 1.

    Reference: Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines, Cognitive Science 9;
    Kirkpatrick, Gelatt and Vecchi (1983), Optimization by simulated annealing, Science 220.

    Examples
    --------
    >>> BoltzmannMachine(hidden=2).params()["temperature"]
    10.0
    """

    name = "boltzmann"

    hidden: int = param(4, low=1, high=10_000, help="Hidden units.")
    steps: int = param(1, low=1, high=10_000, help="Gibbs sweeps of the negative phase in each step.")
    chains: int = param(100, low=1, high=100_000, help="Persistent chains.")
    temperature: float = param(10.0, low=1.0, high=1e6, help="Where sampling starts to cool down from, to 1.")
    numbers: str = param("bernoulli", choices=("bernoulli",), help="Units for numbers: Bernoulli between their bounds.")

    def build(self, layout: Layout) -> FullyConnectedMachine:
        """Return the machine for this layout."""
        return FullyConnectedMachine(
            VisibleUnits(layout, self.numbers, extra=self.hidden), self.chains, self.temperature
        )

    def energy_network(self, net: FullyConnectedMachine) -> FullyConnectedMachine:
        """Return the machine."""
        return net

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimiser of one phase."""
        return [adam_optimizer(parameters, self.learning_rate, self.momentum)]

    def phases(self, net: FullyConnectedMachine) -> list[Phase]:
        """Return the one stage of training."""
        return [Phase("training", list(net.parameters()), self.epochs, partial(self._updates, net))]

    def _updates(self, net: FullyConnectedMachine, optimizers: list[Optimizer]) -> Step:
        """Return the function that makes one update: pairs that are both 1 in the data, less those in the chains."""
        net.chains.copy_(torch.bernoulli(torch.full_like(net.chains, 0.5)))

        @torch.no_grad()
        def update(x: Tensor, observed: Tensor) -> dict[str, Tensor]:
            with torch.autocast(x.device.type, enabled=False):
                v, seen = net.units.encode(x, observed)
                s, state = net.relax(v, seen), net.chains
                noise = batch_uniforms(len(state), x.device)
                for _ in range(self.steps):
                    state = net.sweep(state, noise)[1]
                net.chains.copy_(state)
                (positive, positive_bias), (negative, negative_bias) = net.pairs(s), net.pairs(state)
                net.coupling.grad = self.weight_decay * net.coupling + negative - positive
                net.units.bias.grad = negative_bias - positive_bias
                for optimizer in optimizers:
                    optimizer.step()
                again = net.units.expect(s @ net.coupling)
                return {"loss": (net.units.surprisal(v, again) * seen).sum() / len(v)}

        return update

    def log_partition(self) -> float:
        """Return log Z, by enumeration in double precision.

        Raises
        ------
        ValueError
            There are more than 2^20 states.
        """
        with torch.no_grad():
            return float(torch.logsumexp(-self._in_double_precision().energy(self._states()), dim=0))

    def log_likelihood(self, data: Encoded) -> Scores:
        """Return log p(observed cells) of rows, float64 [n], by enumeration of each row's unknown units.

        Raises
        ------
        ValueError
            There are more than 2^20 states.
        """
        net, states, log_z = self._in_double_precision(), self._states(), self.log_partition()
        v, seen = net.units.encode(torch.tensor(data.values), torch.tensor(data.observed))
        found = np.empty(len(data))
        for row in range(len(data)):
            free = torch.unique(states[:, ~seen[row]], dim=0)
            s = v[row].repeat(len(free), 1)
            s[:, ~seen[row]] = free
            with torch.no_grad():
                found[row] = float(torch.logsumexp(-net.energy(s), dim=0)) - log_z
        return found

    def _in_double_precision(self) -> FullyConnectedMachine:
        return copy.deepcopy(self.net).cpu().double()

    def _states(self) -> Tensor:
        net = self._in_double_precision()
        sizes = [max(len(block), 2) for block in net.blocks]
        if math.prod(sizes) > MOST_STATES:
            raise ValueError(f"got a machine of {math.prod(sizes):.1e} states; at most {MOST_STATES} can be enumerated")
        return visible_states(net.units)
