"""The deep belief network: directed layers below a restricted Boltzmann machine."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from anomalo.neural import Phase
from anomalo.plugin import Encoded, Layout, Run, Scores, param
from anomalo_boltzmann import enumeration
from anomalo_boltzmann.annealing import base_rate
from anomalo_boltzmann.energy import EnergyModel
from anomalo_boltzmann.hidden import Bernoulli
from anomalo_boltzmann.machine import Machine, Noise
from anomalo_boltzmann.stack import DeepModel, Stack
from anomalo_boltzmann.surprise import hidden_in_turn
from anomalo_boltzmann.units import VisibleUnits
from anomalo_boltzmann.wakesleep import update_by_wake_sleep

DRAW = Bernoulli()
PROPOSALS = 4
"""New states that a row with known cells chooses from in each sweep."""


class BeliefNet(Stack):
    """A stack whose lower machines are read downwards: p(v | h_1) p(h_1 | h_2) … p(h_(K - 1)), the last from the top.

    Parameters
    ----------
    samples : int
        States of the hidden layers that a row's probability is estimated with, from the same noise for every row.
    untied : bool
        Whether the way up has weights of its own.
    """

    noise: Tensor

    def __init__(self, units: VisibleUnits, widths: tuple[int, ...], chains: int, samples: int, untied: bool) -> None:
        super().__init__(units, widths, chains, [(1, 1)] * len(widths))
        self.widths = list(widths[:-1])
        self.register_buffer("noise", torch.rand(samples, sum(widths[:-1])))
        below = [units.count, *widths][: len(widths) - 1] if untied else []
        self.recognition = nn.ModuleList(nn.Linear(a, b) for a, b in zip(below, widths[:-1], strict=False))

    @property
    def units(self) -> VisibleUnits:
        """The visible units."""
        lowest: VisibleUnits = self.layers[0].units
        return lowest

    @property
    def top(self) -> Machine:
        """The machine at the top."""
        machine: Machine = self.layers[-1]
        return machine

    @torch.no_grad()
    def untie(self) -> None:
        """Start the way up from the weights of the way down."""
        for linear, machine in zip(self.recognition, self.layers, strict=False):
            linear.weight.copy_(machine.weight.T)
            linear.bias.copy_(machine.bias)

    def recognise(self, k: int, below: Tensor) -> Tensor:
        """Return the total input of layer k + 1 from the layer below it, [n, hidden]."""
        machine = self.layers[k]
        linear: nn.Module | None = self.recognition[k] if len(self.recognition) else None
        return machine.drive(below) if linear is None else linear(machine.units.features(below))

    def first(self, v: Tensor, seen: Tensor) -> Tensor:
        """Return the total input of the first hidden layer; what is unknown of a row is expected by mean field."""
        if not bool(seen.all()):
            lowest = self.layers[0]
            v = torch.where(seen, v, lowest.rows(lowest.codes(v, seen)))
        return self.recognise(0, v)

    def codes(self, v: Tensor, seen: Tensor) -> Tensor:
        """Return the probabilities of the top's hidden units by a mean-field pass, [n, hidden]."""
        h = torch.sigmoid(self.first(v, seen))
        for k in range(1, len(self.layers) - 1):
            h = torch.sigmoid(self.recognise(k, h))
        return self.top.hidden.mean(self.top.drive(h))

    def rows(self, codes: Tensor) -> Tensor:
        """Return the visible units' expectations by a mean-field pass down, [n, units]."""
        for machine in reversed(self.layers):
            codes = machine.rows(codes)
        return codes

    def marginal(self, v: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return -log p(known units) up to the top's log partition function, and the expectations of all, given those.

        By importance sampling, with the way up as the proposal: the mean over samples of
        p(v | h_1) … p(h_(K - 2) | h_(K - 1)) p*(h_(K - 1)) / Q(h_1, …, h_(K - 1) | v).
        """
        drive, total, mean = self.first(v, seen), torch.full_like(v[:, 0], -math.inf), torch.zeros_like(v)
        for uniform in self.noise:
            fixed = iter(uniform.split(self.widths))
            weight, states = self.propose(drive, v, seen, lambda _: next(fixed))  # noqa: B023
            higher = torch.logaddexp(total, weight)
            expected = self.layers[0].rows(states[:, : self.widths[0]])
            mean = mean * (total - higher).exp()[:, None] + expected * (weight - higher).exp()[:, None]
            total = higher
        return math.log(len(self.noise)) - total, torch.where(seen, v, mean)

    def propose(self, drive: Tensor, v: Tensor, seen: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return states of the hidden layers below the top's own, [n, hidden], drawn upwards, and their log weights.

        Parameters
        ----------
        drive : [n, hidden]
            The total input of the first layer.
        """
        weight, below, known, found = torch.zeros_like(v[:, 0]), v, seen, []
        for k, machine in enumerate(self.layers[:-1]):
            drive = drive if k == 0 else self.recognise(k, below)
            h = DRAW.sample(drive, noise(drive.shape[1]))
            surprise = machine.units.surprise(below, machine.rows(h))
            weight = weight - (surprise * known if k == 0 else surprise).sum(dim=1)
            weight = weight - (h * drive - DRAW.cumulant(drive)).sum(dim=1)
            below = h
            found.append(h)
        return weight - self.top.free_energy(below), torch.cat(found, dim=1)

    def surprises(self, v: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return each cell's surprise given the others, [n, columns], and the units' expectations, [n, units]."""
        return hidden_in_turn(self, v, seen)

    def sweep(self, v: Tensor, noise: Noise, beta: float = 1.0, seen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return expectations and new values of the visible units, as `Machine.sweep` does.

        Rows without a known cell are sampled in the top, by Gibbs sampling, and drawn down from there. The others
        choose between their last state and new ones from the way up, by their weights: iterated importance resampling,
        whose states have in the end the distribution given the known cells (Andrieu, Doucet and Holenstein 2010,
        Particle Markov chain Monte Carlo methods, JRSS B 72).

        Parameters
        ----------
        v : [n, units] at the start
            Later, what was returned: followed by the first layer's input, the hidden layers' states and their weights.
        """
        count, first = self.units.count, self.widths[0]
        table = v[:, :count]
        seen = torch.zeros_like(table, dtype=torch.bool) if seen is None else seen
        if v.shape[1] == count:
            nothing = torch.zeros(len(v), sum(self.widths), device=v.device), torch.full_like(v[:, :1], -math.inf)
            v = torch.cat([table, self.first(torch.where(seen, table, 0.0), seen), *nothing], dim=1)
        _, drive, states, weight = v.split([count, first, sum(self.widths), 1], dim=1)
        anything = seen.any(dim=1, keepdim=True)
        free = self._down(self.top.sweep(states[:, -self.widths[-1] :], noise, beta)[1], noise)
        states, weight = self._choose(drive, table, seen, states, weight, noise)
        states = torch.where(anything, states, free)
        expected = self.layers[0].rows(states[:, :first])
        drawn = self.units.sample(expected, noise(count))
        return expected, torch.cat([torch.where(seen, table, drawn), drive, states, weight], dim=1)

    def _down(self, h: Tensor, noise: Noise) -> Tensor:
        """Return states of the hidden layers [n, hidden] drawn downwards from those below the top's own."""
        states = [h]
        for machine in reversed(self.layers[1:-1]):
            chances = machine.rows(states[0])
            states.insert(0, machine.units.sample(chances, noise(chances.shape[1])))
        return torch.cat(states, dim=1)

    def _choose(
        self, drive: Tensor, v: Tensor, seen: Tensor, states: Tensor, weight: Tensor, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        """Return the last states or new ones, by their weights, and those weights."""
        total = weight
        for _ in range(PROPOSALS):
            new, others = self.propose(drive, v, seen, noise)
            total = torch.logaddexp(total, new[:, None])
            taken = noise(1) < (new[:, None] - total).exp()
            states, weight = torch.where(taken, others, states), torch.where(taken, new[:, None], weight)
        return states, weight


@dataclass(kw_only=True)
class DeepBelief(DeepModel):
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

    def build(self, layout: Layout) -> nn.Module:
        """Return the network for this layout."""
        chains = self.chains if self.persistent else 0
        return BeliefNet(VisibleUnits(layout, self.numbers), self.hidden, chains, self.samples, self.wake_sleep > 0)

    def phases(self, net: nn.Module) -> list[Phase]:
        """Return a phase for each layer, and one for all if asked for."""
        assert isinstance(net, BeliefNet)
        if not self.wake_sleep:
            return self.alone(net)
        update = partial(update_by_wake_sleep, net, settings=self.settings())
        return [*self.alone(net), Phase("wake-sleep", list(net.parameters()), self.wake_sleep, update)]

    def machine(self) -> Machine:
        """Return the machine at the top, whose partition function is the network's."""
        assert isinstance(self.net, BeliefNet)
        return self.net.top

    def finish(self, data: Encoded, run: Run) -> None:
        """Take the biases of independent units, which annealed importance sampling starts from."""
        EnergyModel.finish(self, data, run)
        net = self.net
        assert isinstance(net, BeliefNet)
        rows = (torch.tensor(array, device=net.noise.device) for array in (data.values, data.observed))
        with torch.no_grad():
            v, seen = net.source(len(self.hidden) - 1)(*rows)
            self.base_ = base_rate(self.machine().units, v, seen).cpu().numpy()

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
        lowest, top = (enumeration.precise(machine) for machine in self.stack(self.net).layers)
        v, seen = lowest.units.encode(torch.tensor(data.values), torch.tensor(data.observed))
        total = torch.full((len(data),), -math.inf, dtype=torch.float64)
        with torch.no_grad():
            own = torch.where(seen, -lowest.units.energy(v), 0.0).sum(dim=1)
            for h in enumeration.binary_states(self.hidden[0]):
                field = lowest.field(h)
                joint = lowest.units.features(v) @ field.T - seen.double() @ lowest.units.cumulant(field).T
                total = torch.logaddexp(total, torch.logsumexp(joint - top.free_energy(h), dim=1))
        found: Scores = np.asarray((own + total).numpy() - log_z)
        return found
