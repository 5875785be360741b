"""The surprisal of each cell given the row's other cells: a difference of free energies, in which log Z cancels."""

import torch
from torch import Tensor

from anomalo_boltzmann.networks.energy_network import EnergyNetwork
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine

ROUNDS, DAMPING = 10, 0.7
"""Rounds of mean field between a Gaussian cell and the hidden units, and the share of the step that each takes."""
AT_ONCE = 4_000_000
"""Numbers in one intermediate result, at most."""

CellSurprisals = tuple[Tensor, Tensor]
"""-log p(cell | others), [n, columns], and the units' expectations given the other cells, [n, units]."""


def cell_surprisals(network: EnergyNetwork, v: Tensor, seen: Tensor) -> CellSurprisals:
    """Return each cell's surprisal given the others, [n, columns], and the units' expectations, [n, units]."""
    if isinstance(network, RestrictedMachine) and not network.units.extra:
        return restricted_surprisals(network, v, seen)
    return surprisals_by_hiding(network, v, seen)


def surprisals_by_hiding(network: EnergyNetwork, v: Tensor, seen: Tensor) -> CellSurprisals:
    """Return F(row) - F(row without the cell) for each cell, with any network; cells that are not known have 0."""
    column = network.units.column
    energy, expected = network.marginal(v, seen)
    expected, found = expected.clone(), torch.zeros(len(v), network.units.columns, device=v.device, dtype=v.dtype)
    for at in range(network.units.columns):
        cell = torch.zeros_like(seen[0])
        cell[: len(column)] = column == at
        others = seen & ~cell
        without, fill = network.marginal(torch.where(others, v, 0.0), others)
        found[:, at] = energy - without
        expected[:, cell] = fill[:, cell]
    return found, expected


def restricted_surprisals(machine: RestrictedMachine, v: Tensor, seen: Tensor) -> CellSurprisals:
    """Return the surprisals of a restricted machine, all units at once: the other units do not change with the cell.

    They are exact for Bernoulli units and categories, and by mean field for Gaussian units. The row's other unknown
    units stay at their expectations.
    """
    units = machine.units
    expected = units.expect(machine.field(machine.hidden.mean(machine.infer(v, seen))))
    whole = torch.where(seen, v, expected)
    x = machine.drive(whole)
    known = units.energy(whole) - machine.hidden.cumulant(x).sum(dim=1, keepdim=True)
    found = torch.zeros(len(v), units.columns, device=v.device, dtype=v.dtype)
    size = max(1, AT_ONCE // x.numel())
    for kind, part in ((_gaussian, slice(0, units.n_gaussian)), (_bernoulli, units.binary)):
        for start in range(part.start, part.stop, size):
            at = slice(start, min(start + size, part.stop))
            weight = machine.weight[at]
            without = x[:, None] - units.features(whole)[:, at, None] * weight
            log_sum, expected[:, at] = kind(machine, without, at)
            found[:, units.column[at]] = known[:, at] + log_sum
    start = units.soft.start
    for levels, position in zip(units.levels, units.categories, strict=True):
        at = slice(start, start + levels)
        without = x - whole[:, at] @ machine.weight[at]
        drive = machine.hidden.cumulant(without[:, None] + machine.weight[at]).sum(dim=2) + units.bias[at]
        expected[:, at] = torch.softmax(drive, dim=1)
        energy = units.energy(whole)[:, at].sum(dim=1) + (known - units.energy(whole))[:, 0]
        found[:, position] = energy + torch.logsumexp(drive, dim=1)
        start = at.stop
    return found, expected


def _bernoulli(machine: RestrictedMachine, without: Tensor, at: slice) -> CellSurprisals:
    """Return the log of the sum of exp(-F) over a unit's values, and the probability of 1, each [n, units].

    Parameters
    ----------
    without : [n, units, hidden]
        The hidden units' inputs without each unit.
    """
    off = machine.hidden.cumulant(without).sum(dim=2)
    on = machine.hidden.cumulant(without + machine.weight[at]).sum(dim=2) + machine.units.bias[at]
    return torch.logaddexp(on, off), torch.sigmoid(on - off)


def _gaussian(machine: RestrictedMachine, without: Tensor, at: slice) -> CellSurprisals:
    """Return about the log of the integral of exp(-F) over a unit's values, and its mean, each [n, units]."""
    weight, bias, variance = machine.weight[at], machine.units.bias[at], machine.units.variance()[at]
    y = without + (bias / variance)[:, None] * weight
    for _ in range(ROUNDS):
        mean = bias + (machine.hidden.mean(y) * weight).sum(dim=2)
        y = y + DAMPING * (without + (mean / variance)[..., None] * weight - y)
    h = machine.hidden.mean(y)
    field = (h * weight).sum(dim=2)
    inside = (machine.hidden.cumulant(y) + h * (without - y)).sum(dim=2)
    integral = 0.5 * (2 * torch.pi * variance).log() + (2 * bias * field + field.square()) / (2 * variance)
    return inside + integral, bias + field
