"""Exact likelihoods, by summing over all states of the side of a machine that has fewer."""

import copy
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleUnits

MOST_STATES = 2**20
"""More states than this are not enumerated."""
AT_ONCE = 2**13
"""States in one intermediate result."""


def in_double_precision(machine: RestrictedMachine) -> RestrictedMachine:
    """Return a copy in double precision, on the CPU."""
    return copy.deepcopy(machine).double().cpu()


def binary_states(count: int) -> Iterator[Tensor]:
    """Yield all states of `count` binary units, float64 [states, count], some at a time."""
    for start in range(0, 2**count, AT_ONCE):
        number = torch.arange(start, min(start + AT_ONCE, 2**count))
        yield ((number[:, None] >> torch.arange(count)) & 1).double()


def visible_states(units: VisibleUnits) -> Tensor:
    """Return all states of visible units without a Gaussian one, float64 [states, units]."""
    choices = [torch.eye(n, dtype=torch.float64) for n in units.levels]
    choices += [torch.tensor([[0.0], [1.0]], dtype=torch.float64)] * (units.count - units.soft.stop)
    index = torch.cartesian_prod(*(torch.arange(len(choice)) for choice in choices)).view(-1, len(choices))
    return torch.cat([choice[index[:, at]] for at, choice in enumerate(choices)], dim=1)


def enumerable_sides(machine: RestrictedMachine) -> dict[str, float]:
    """Return the sides whose states can be enumerated, "hidden" and "visible", and the logarithm of their number."""
    units, found = machine.units, {}
    if machine.kind == "bernoulli":
        found["hidden"] = len(machine.bias) * math.log(2)
    if not units.n_gaussian:
        found["visible"] = (units.count - units.soft.stop) * math.log(2) + sum(math.log(n) for n in units.levels)
    return {side: size for side, size in found.items() if size <= math.log(MOST_STATES) + 1e-9}


def log_partition(machine: RestrictedMachine) -> float:
    """Return log Z, exactly: the sum over the side with fewer states, the other side being summed out in closed form.

    Raises
    ------
    ValueError
        Both sides have too many states, or a side with few has none that can be listed.
    """
    machine, found = in_double_precision(machine), enumerable_sides(machine)
    if not found:
        raise ValueError(
            f"got a machine of more than {MOST_STATES} states on each side; use annealed importance sampling"
        )
    with torch.no_grad():
        if min(found, key=lambda side: found[side]) == "visible":
            return float(torch.logsumexp(-machine.free_energy(visible_states(machine.units)), dim=0))
        parts = [torch.logsumexp(log_weights(machine, h).sum(dim=1), dim=0) for h in hidden_states(machine)]
        return float(torch.logsumexp(torch.stack(parts), dim=0))


def hidden_states(machine: RestrictedMachine) -> Iterator[Tensor]:
    """Yield all states of Bernoulli hidden units, float64 [states, hidden], some at a time."""
    return binary_states(len(machine.bias))


def log_weights(machine: RestrictedMachine, h: Tensor) -> Tensor:
    """Return the terms of each visible unit and of the hidden units for hidden states, [states, units + 1].

    Their sum is the log of the sum of exp(-E(v, h)) over v.
    """
    return torch.cat([machine.units.cumulant(machine.field(h)), (h @ machine.bias)[:, None]], dim=1)


def log_likelihood(machine: RestrictedMachine, v: Tensor, seen: Tensor) -> Tensor:
    """Return the log of the sum of exp(-E(v, h)) over h and over the unknown units, [n], exactly.

    Parameters
    ----------
    v, seen : [n, units]
        The units' values, 0 where unknown, and whether they are known.
    """
    machine, v = in_double_precision(machine), v.double().cpu()
    seen = seen.cpu()
    with torch.no_grad():
        if bool(seen.all()):
            return -machine.free_energy(v)
        visible = torch.where(seen, -machine.units.energy(v), 0.0).sum(dim=1)
        features, open_units = machine.units.features(v), (~seen).double()
        total = torch.full_like(visible, -math.inf)
        for h in hidden_states(machine):
            weights = log_weights(machine, h)
            joint = features @ machine.field(h).T + open_units @ weights[:, :-1].T + weights[:, -1]
            total = torch.logaddexp(total, torch.logsumexp(joint, dim=1))
        return visible + total
