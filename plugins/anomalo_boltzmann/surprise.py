"""How surprising each cell is given the row's other cells: what free energies differ by, without log Z."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from anomalo_boltzmann.energy import Core
    from anomalo_boltzmann.machine import Machine

ROUNDS, DAMPING = 10, 0.7
"""Rounds of mean field between a Gaussian cell and the hidden units, and how far each goes."""
AT_ONCE = 4_000_000
"""Numbers in one intermediate result, at most."""

Surprises = tuple[Tensor, Tensor]
"""-log p(cell | others), [n, columns], and the units' expectations given the other cells, [n, units]."""


def hidden_in_turn(core: Core, v: Tensor, seen: Tensor) -> Surprises:
    """Return the surprises by F(row) - F(row without the cell), of any machine; cells that are not known have none."""
    column = core.units.column
    energy, expected = core.marginal(v, seen)
    expected, found = expected.clone(), torch.zeros(len(v), core.units.columns, device=v.device, dtype=v.dtype)
    for at in range(core.units.columns):
        own = torch.zeros_like(seen[0])
        own[: len(column)] = column == at
        others = seen & ~own
        without, fill = core.marginal(torch.where(others, v, 0.0), others)
        found[:, at] = energy - without
        expected[:, own] = fill[:, own]
    return found, expected


def by_unit(machine: Machine, v: Tensor, seen: Tensor) -> Surprises:
    """Return the surprises of a restricted machine, all units at once: the other units do not change with the cell.

    Of Bernoulli units and categories they are exact, of Gaussian ones by mean field. What else is unknown of a row
    stays at its expectation.
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
            own = machine.weight[at]
            without = x[:, None] - units.features(whole)[:, at, None] * own
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


def _bernoulli(machine: Machine, without: Tensor, at: slice) -> Surprises:
    """Return the log of the sum of exp(-F) over a unit's values, and the probability of 1, each [n, units].

    Parameters
    ----------
    without : [n, units, hidden]
        The hidden units' inputs without each unit.
    """
    off = machine.hidden.cumulant(without).sum(dim=2)
    on = machine.hidden.cumulant(without + machine.weight[at]).sum(dim=2) + machine.units.bias[at]
    return torch.logaddexp(on, off), torch.sigmoid(on - off)


def _gaussian(machine: Machine, without: Tensor, at: slice) -> Surprises:
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
