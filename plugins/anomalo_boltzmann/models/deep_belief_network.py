"""The deep belief network as a model of tables: stacked restricted Boltzmann machines, optionally fine-tuned."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from anomalo.neural import Phase
from anomalo.plugin import Encoded, Layout, Run, Scores, param
from anomalo_boltzmann.learning.wake_sleep import update_by_wake_sleep
from anomalo_boltzmann.likelihood import enumeration
from anomalo_boltzmann.likelihood.annealed_importance_sampling import independent_biases
from anomalo_boltzmann.models.energy_model import EnergyModel
from anomalo_boltzmann.models.layerwise_model import LayerwiseModel
from anomalo_boltzmann.networks.belief_network import BeliefNet
from anomalo_boltzmann.networks.machine_stack import MachineStack
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleUnits


@dataclass(kw_only=True)
class DeepBelief(LayerwiseModel[BeliefNet]):
    """A deep belief network: restricted Boltzmann machines trained one above the other, layer by layer.

    The last one stays a Boltzmann machine, those below become directed downwards; optionally all are tuned by the
    up-down algorithm. Scored by an importance-weighted estimate of the row's probability.

    Reference: Hinton, Osindero and Teh (2006), A fast learning algorithm for deep belief nets, Neural Computation 18.

    Examples
    --------
    >>> DeepBelief(hidden=(32, 16)).params()["wake_sleep"]
    0
    """

    name = "dbn"
    chunk = 128

    wake_sleep: int = param(0, low=0, high=100_000, help="Epochs of fine-tuning by the up-down algorithm.")
    samples: int = param(16, low=1, high=10_000, help="States of the hidden layers drawn for each row to score it.")

    def build(self, layout: Layout) -> BeliefNet:
        """Return the network for this layout."""
        chains = self.chains if self.persistent else 0
        return BeliefNet(VisibleUnits(layout, self.numbers), self.hidden, chains, self.samples, self.wake_sleep > 0)

    def energy_network(self, net: BeliefNet) -> BeliefNet:
        """Return the network."""
        return net

    def stack(self, net: BeliefNet) -> MachineStack:
        """Return the network, a stack of machines."""
        return net

    def phases(self, net: BeliefNet) -> list[Phase]:
        """Return a phase for each layer, and one for all if asked for."""
        if not self.wake_sleep:
            return self.layer_phases(net)
        update = partial(update_by_wake_sleep, net, settings=self.settings())
        return [*self.layer_phases(net), Phase("wake-sleep", list(net.parameters()), self.wake_sleep, update)]

    def machine(self) -> RestrictedMachine:
        """Return the machine at the top, whose partition function is the network's."""
        return self.net.top

    def finish(self, data: Encoded, run: Run) -> None:
        """Keep the biases of independent units, from which annealed importance sampling starts."""
        EnergyModel.finish(self, data, run)
        net = self.net
        rows = (torch.tensor(array, device=net.noise.device) for array in (data.values, data.observed))
        with torch.no_grad():
            v, seen = net.source(len(self.hidden) - 1)(*rows)
            self.base_biases_ = independent_biases(self.machine().units, v, seen).cpu().numpy()

    def log_likelihood(self, data: Encoded, log_partition: float | None = None) -> Scores:
        """Return log p(observed cells) of rows, float64 [n], in nats.

        Exact but for the partition function with two layers of which the first has at most 20 units; else the
        importance-weighted estimate, a lower bound on average.

        Parameters
        ----------
        log_partition : float, optional
            The top machine's log Z; by default that of `log_partition()`.
        """
        log_z = self.log_partition().value if log_partition is None else log_partition
        if len(self.hidden) > 2 or 2.0 ** self.hidden[0] > enumeration.MOST_STATES:
            return -self.score(data) - log_z
        lowest, top = (enumeration.in_double_precision(machine) for machine in self.stack(self.net).layers)
        v, seen = lowest.units.encode(torch.tensor(data.values), torch.tensor(data.observed))
        total = torch.full((len(data),), -math.inf, dtype=torch.float64)
        with torch.no_grad():
            visible = torch.where(seen, -lowest.units.energy(v), 0.0).sum(dim=1)
            for h in enumeration.binary_states(self.hidden[0]):
                field = lowest.field(h)
                joint = lowest.units.features(v) @ field.T - seen.double() @ lowest.units.cumulant(field).T
                total = torch.logaddexp(total, torch.logsumexp(joint - top.free_energy(h), dim=1))
        found: Scores = np.asarray((visible + total).numpy() - log_z)
        return found
