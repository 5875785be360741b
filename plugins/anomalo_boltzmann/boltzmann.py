"""The Boltzmann machine in its first form: every unit connected with every other, for small tables and for teaching."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from anomalo.neural import Phase, Step
from anomalo.plugin import Encoded, Layout, Scores, param
from anomalo_boltzmann.divergence import optimizer, uniform
from anomalo_boltzmann.energy import EnergyModel
from anomalo_boltzmann.enumeration import MOST_STATES, visible_states
from anomalo_boltzmann.machine import MEAN_FIELD, Noise
from anomalo_boltzmann.surprise import hidden_in_turn
from anomalo_boltzmann.units import VisibleUnits

DAMPING = 0.5
"""How far each round of mean field goes towards its result."""


class FullMachine(nn.Module):
    """E(s) = -b's - s'Js / 2 over visible and hidden units s, with J symmetric and without self-connections.

    Hidden units are visible ones that no column stands for, and that are never known.

    Parameters
    ----------
    units : VisibleUnits
        Without Gaussian ones; its extra units are the hidden ones.
    chains : int
        Persistent chains, a buffer.
    temperature : float
        The highest at which a sweep is made.
    """

    mask: Tensor
    chains: Tensor

    def __init__(self, units: VisibleUnits, chains: int, temperature: float = 1.0) -> None:
        super().__init__()
        self.units, self.temperature = units, temperature
        owner = torch.cat([units.column, -1 - torch.arange(units.extra)])
        self.register_buffer("mask", (owner[:, None] != owner).float(), persistent=False)
        self.register_buffer("chains", torch.zeros(chains, units.count))
        half = 0.01 * torch.randn(units.count, units.count)
        self.coupling = nn.Parameter((half + half.T) * self.mask)
        self.blocks = [torch.nonzero(owner == at).flatten() for at in owner.unique()]

    def energy(self, s: Tensor) -> Tensor:
        """Return E(s), [n], for all units [n, units]."""
        return self.units.energy(s).sum(dim=1) - 0.5 * ((s @ self.coupling) * s).sum(dim=1)

    def relax(self, s: Tensor, known: Tensor) -> Tensor:
        """Return the units' expectations, those not known by mean field, [n, units]."""
        m = torch.where(known, s, self.units.expect(torch.zeros_like(s)))
        for _ in range(2 * MEAN_FIELD):
            m = torch.where(known, s, m + DAMPING * (self.units.expect(m @ self.coupling) - m))
        return m

    def marginal(self, v: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the variational free energy of the known units, [n], and the expectations of all given those.

        F = E(m) - H(m), where m are independent units (Peterson and Anderson 1987, Complex Systems 1): an upper bound.
        """
        m = self.relax(v, seen)
        entropy = torch.where(seen, 0.0, self.units.surprise(m, m))
        return self.energy(m) - entropy.sum(dim=1), m

    def surprises(self, v: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return each cell's surprise given the others, [n, columns], and the units' expectations, [n, units]."""
        return hidden_in_turn(self, v, seen)

    def sweep(self, v: Tensor, noise: Noise, beta: float = 1.0, seen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Draw one unit after the other given all the rest, at the inverse temperature `beta`; see `Machine.sweep`."""
        beta, uniform, s, means = max(beta, 1 / self.temperature), noise(self.units.count), v.clone(), v.clone()
        for block in self.blocks:
            drive = beta * (self.units.bias[block] + s @ self.coupling[:, block])
            level = bool(block[0] < self.units.soft.stop)
            expected = torch.softmax(drive, dim=1) if level else torch.sigmoid(drive)
            drawn = _one_of(expected, uniform[:, block[:1]]) if level else (uniform[:, block] < expected).to(s.dtype)
            means[:, block] = expected
            s[:, block] = drawn if seen is None else torch.where(seen[:, block], v[:, block], drawn)
        return means, s

    def codes(self, v: Tensor, seen: Tensor) -> Tensor:
        """Return the hidden units' probabilities, [n, hidden]."""
        return self.relax(v, seen)[:, self.units.binary.stop :]

    def rows(self, codes: Tensor) -> Tensor:
        """Return the units' expectations for hidden units [n, hidden], [n, units]."""
        table = torch.zeros(len(codes), self.units.binary.stop, device=codes.device)
        known = torch.arange(self.units.count, device=codes.device) >= self.units.binary.stop
        return self.relax(torch.cat([table, codes.clamp(0, 1)], dim=1), known)

    def pairs(self, s: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the means of s s' and of s over rows: one phase of the gradient by J (each pair twice) and b."""
        part = torch.full_like(s[:, 0], 1 / len(s)) if weight is None else weight
        return (s.T @ (s * part[:, None])) * self.mask, part @ s


@dataclass(kw_only=True)
class BoltzmannMachine(EnergyModel):
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

    def build(self, layout: Layout) -> nn.Module:
        """Return the machine for this layout."""
        return FullMachine(VisibleUnits(layout, self.numbers, extra=self.hidden), self.chains, self.temperature)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimiser of one phase."""
        return [optimizer(parameters, self.learning_rate, self.momentum)]

    def phases(self, net: nn.Module) -> list[Phase]:
        """Return the one stage of training."""
        assert isinstance(net, FullMachine)
        return [Phase("training", list(net.parameters()), self.epochs, partial(self._learning, net))]

    def _learning(self, net: FullMachine, optimizers: list[Optimizer]) -> Step:
        """Return the function that makes one update: pairs that are on in the data, less those in the chains."""
        net.chains.copy_(torch.bernoulli(torch.full_like(net.chains, 0.5)))

        @torch.no_grad()
        def update(x: Tensor, observed: Tensor) -> dict[str, Tensor]:
            with torch.autocast(x.device.type, enabled=False):
                v, seen = net.units.encode(x, observed)
                s, state = net.relax(v, seen), net.chains
                noise = uniform(len(state), x.device)
                for _ in range(self.steps):
                    state = net.sweep(state, noise)[1]
                net.chains.copy_(state)
                (joint, single), (dreamt, alone) = net.pairs(s), net.pairs(state)
                net.coupling.grad = self.weight_decay * net.coupling + dreamt - joint
                net.units.bias.grad = alone - single
                for optimizer in optimizers:
                    optimizer.step()
                again = net.units.expect(s @ net.coupling)
                return {"loss": (net.units.surprise(v, again) * seen).sum() / len(v)}

        return update

    def log_partition(self) -> float:
        """Return log Z, by enumeration in double precision.

        Raises
        ------
        ValueError
            There are more than 2^20 states.
        """
        with torch.no_grad():
            return float(torch.logsumexp(-self._precise().energy(self._states()), dim=0))

    def log_likelihood(self, data: Encoded) -> Scores:
        """Return log p(observed cells) of rows, float64 [n], by enumeration of all that is unknown of each.

        Raises
        ------
        ValueError
            There are more than 2^20 states.
        """
        net, states, log_z = self._precise(), self._states(), self.log_partition()
        v, seen = net.units.encode(torch.tensor(data.values), torch.tensor(data.observed))
        found = np.empty(len(data))
        for row in range(len(data)):
            free = states[:, ~seen[row]].unique(dim=0)
            s = v[row].repeat(len(free), 1)
            s[:, ~seen[row]] = free
            with torch.no_grad():
                found[row] = float(torch.logsumexp(-net.energy(s), dim=0)) - log_z
        return found

    def _precise(self) -> FullMachine:
        assert isinstance(self.net, FullMachine)
        return copy.deepcopy(self.net).cpu().double()

    def _states(self) -> Tensor:
        net = self._precise()
        sizes = [max(len(block), 2) for block in net.blocks]
        if math.prod(sizes) > MOST_STATES:
            raise ValueError(f"got a machine of {math.prod(sizes):.1e} states; at most {MOST_STATES} can be enumerated")
        return visible_states(net.units)


def _one_of(shares: Tensor, uniform: Tensor) -> Tensor:
    """Draw one of the levels [n, levels] by uniform numbers [n, 1], as ones and zeros."""
    passed = (uniform >= shares.cumsum(dim=1)).sum(dim=1)
    return F.one_hot(passed.clamp(max=shares.shape[1] - 1), shares.shape[1]).to(shares.dtype)
