"""The deep belief network: directed layers below a restricted Boltzmann machine."""

import math

import torch
from torch import Tensor, nn

from anomalo.neural import ModuleTuple
from anomalo_boltzmann.networks.hidden_units import Bernoulli
from anomalo_boltzmann.networks.machine_stack import MachineStack
from anomalo_boltzmann.networks.random_streams import UniformSource
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleUnits

BERNOULLI = Bernoulli()
PROPOSALS = 4
"""New states that a row with known cells chooses from in each sweep."""


class BeliefNet(MachineStack):
    """A stack whose lower machines are read downwards: p(v | h_1) p(h_1 | h_2) … p(h_(K - 1)), the last from the top.

    Parameters
    ----------
    samples : int
        States of the hidden layers that a row's probability is estimated with, from the same noise for every row.
    untied : bool
        Whether the way up has separate weights.
    """

    noise: Tensor

    def __init__(self, units: VisibleUnits, widths: tuple[int, ...], chains: int, samples: int, untied: bool) -> None:
        super().__init__(units, widths, chains, [(1, 1)] * len(widths))
        self.widths = list(widths[:-1])
        self.register_buffer("noise", torch.rand(samples, sum(widths[:-1])))
        below = [units.count, *widths][: len(widths) - 1] if untied else []
        self.recognition = ModuleTuple(nn.Linear(a, b) for a, b in zip(below, widths[:-1], strict=False))

    @property
    def units(self) -> VisibleUnits:
        """The visible units."""
        return self.layers[0].units

    @property
    def top(self) -> RestrictedMachine:
        """The machine at the top."""
        return self.layers[-1]

    @torch.no_grad()
    def untie(self) -> None:
        """Start the way up from the weights of the way down."""
        for linear, machine in zip(self.recognition, self.layers, strict=False):
            linear.weight.copy_(machine.weight.T)
            linear.bias.copy_(machine.bias)

    def recognise(self, k: int, below: Tensor) -> Tensor:
        """Return the total input of layer k + 1 from the layer below it, [n, hidden]."""
        machine = self.layers[k]
        if not self.recognition:
            return machine.drive(below)
        drive: Tensor = self.recognition[k](machine.units.features(below))
        return drive

    def first_input(self, v: Tensor, seen: Tensor) -> Tensor:
        """Return the total input of the first hidden layer; a row's unknown units are expected by mean field."""
        if not bool(seen.all()):
            lowest = self.layers[0]
            v = torch.where(seen, v, lowest.rows(lowest.codes(v, seen)))
        return self.recognise(0, v)

    def codes(self, v: Tensor, seen: Tensor) -> Tensor:
        """Return the probabilities of the top's hidden units by a mean-field pass, [n, hidden]."""
        h = torch.sigmoid(self.first_input(v, seen))
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
        drive, total, mean = self.first_input(v, seen), torch.full_like(v[:, 0], -math.inf), torch.zeros_like(v)
        for uniform in self.noise:
            fixed = iter(uniform.split(self.widths))
            weight, states = self.propose(drive, v, seen, lambda _: next(fixed))  # noqa: B023
            higher = torch.logaddexp(total, weight)
            expected = self.layers[0].rows(states[:, : self.widths[0]])
            mean = mean * (total - higher).exp()[:, None] + expected * (weight - higher).exp()[:, None]
            total = higher
        return math.log(len(self.noise)) - total, torch.where(seen, v, mean)

    def propose(self, drive: Tensor, v: Tensor, seen: Tensor, noise: UniformSource) -> tuple[Tensor, Tensor]:
        """Return states of the hidden layers below the top's, [n, hidden], drawn upwards, and their log weights.

        Parameters
        ----------
        drive : [n, hidden]
            The total input of the first layer.
        """
        weight, below, known, found = torch.zeros_like(v[:, 0]), v, seen, []
        for k, machine in enumerate(self.layers[:-1]):
            drive = drive if k == 0 else self.recognise(k, below)
            h = BERNOULLI.sample(drive, noise(drive.shape[1]))
            surprisal = machine.units.surprisal(below, machine.rows(h))
            weight = weight - (surprisal * known if k == 0 else surprisal).sum(dim=1)
            weight = weight - (h * drive - BERNOULLI.cumulant(drive)).sum(dim=1)
            below = h
            found.append(h)
        return weight - self.top.free_energy(below), torch.cat(found, dim=1)

    def sweep(
        self, v: Tensor, noise: UniformSource, beta: float = 1.0, seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return expectations and new values of the visible units, as `RestrictedMachine.sweep` does.

        Rows without a known cell are sampled in the top, by Gibbs sampling, and drawn down from there. The others
        choose between their last state and new ones from the way up, by their weights: iterated importance resampling,
        whose states converge to the distribution given the known cells (Andrieu, Doucet and Holenstein 2010,
        Particle Markov chain Monte Carlo methods, JRSS B 72).

        Parameters
        ----------
        v : [n, units] at the start
            Later, the returned array: units, the first layer's input, the hidden layers' states and their weight.
        """
        count, first = self.units.count, self.widths[0]
        table = v[:, :count]
        seen = torch.zeros_like(table, dtype=torch.bool) if seen is None else seen
        if v.shape[1] == count:
            nothing = torch.zeros(len(v), sum(self.widths), device=v.device), torch.full_like(v[:, :1], -math.inf)
            v = torch.cat([table, self.first_input(torch.where(seen, table, 0.0), seen), *nothing], dim=1)
        _, drive, states, weight = torch.split(v, [count, first, sum(self.widths), 1], dim=1)
        anything = seen.any(dim=1, keepdim=True)
        free = self._down(self.top.sweep(states[:, -self.widths[-1] :], noise, beta)[1], noise)
        states, weight = self._choose(drive, table, seen, states, weight, noise)
        states = torch.where(anything, states, free)
        expected = self.layers[0].rows(states[:, :first])
        drawn = self.units.sample(expected, noise(count))
        return expected, torch.cat([torch.where(seen, table, drawn), drive, states, weight], dim=1)

    def _down(self, h: Tensor, noise: UniformSource) -> Tensor:
        """Return states of the hidden layers [n, hidden] drawn downwards from those below the top's."""
        states = [h]
        for machine in reversed(self.layers[1:-1]):
            chances = machine.rows(states[0])
            states.insert(0, machine.units.sample(chances, noise(chances.shape[1])))
        return torch.cat(states, dim=1)

    def _choose(
        self, drive: Tensor, v: Tensor, seen: Tensor, states: Tensor, weight: Tensor, noise: UniformSource
    ) -> tuple[Tensor, Tensor]:
        """Return the last states or new ones, by their weights, and those weights."""
        total = weight
        for _ in range(PROPOSALS):
            new, others = self.propose(drive, v, seen, noise)
            total = torch.logaddexp(total, new[:, None])
            taken = noise(1) < (new[:, None] - total).exp()
            states, weight = torch.where(taken, others, states), torch.where(taken, new[:, None], weight)
        return states, weight
