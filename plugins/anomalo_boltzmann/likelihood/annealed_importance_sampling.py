"""Annealed importance sampling: the log partition function of machines too large to enumerate, with error bars."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from anomalo_boltzmann.likelihood.enumeration import in_double_precision
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleUnits


class LogPartition(NamedTuple):
    """The log partition function.

    Attributes
    ----------
    value : float
        In nats.
    low, high : float
        Three standard errors to either side of the mean weight; both are `value` where it is exact.
    exact : bool
        Whether it was enumerated.
    """

    value: float
    low: float
    high: float
    exact: bool


def tempered_free_energy(machine: RestrictedMachine, v: Tensor, base: Tensor, beta: float) -> Tensor:
    """Return the free energy [n] on the way from independent units with the biases `base` (beta 0) to the machine (1).

    The biases are interpolated linearly, and the hidden units' inputs are multiplied by beta.
    """
    bias = (1 - beta) * base + beta * machine.units.bias
    return machine.units.energy(v, bias).sum(dim=1) - machine.hidden.cumulant(beta * machine.drive(v)).sum(dim=1)


def estimate_log_partition(
    machine: RestrictedMachine, base: Tensor, temperatures: int = 1000, runs: int = 100, seed: int = 0
) -> tuple[LogPartition, Tensor]:
    """Estimate log Z by annealed importance sampling.

    A run starts with independent visible units, whose partition function is known, and is moved by a Gibbs sweep at
    each of the inverse temperatures beta_k; its weight is the product of p*_k(v_k) / p*_(k - 1)(v_k). The mean weight
    is an unbiased estimate of the ratio of the partition functions. With rectified hidden units the sweeps, and so
    the estimate, are approximations.

    Parameters
    ----------
    base : [units]
        Biases of the independent units, best those that fit the data.
    temperatures, runs : int
        Inverse temperatures, evenly spaced, and independent runs.

    Returns
    -------
    LogPartition
    float64 [runs]
        The log weights.

    Reference: Neal (2001), Annealed importance sampling, Statistics and Computing 11; Salakhutdinov and Murray (2008),
    On the quantitative analysis of deep belief networks, ICML.
    """
    machine, base = in_double_precision(machine), base.double().cpu()
    generator = torch.Generator().manual_seed(seed)
    units = machine.units
    none = torch.zeros(runs, units.count, dtype=torch.float64)

    def uniform(width: int) -> Tensor:
        return torch.rand(runs, width, generator=generator, dtype=torch.float64)

    with torch.no_grad():
        start = float(
            units.cumulant(none[:1], base).sum() + machine.hidden.cumulant(torch.zeros_like(machine.bias)).sum()
        )
        v = units.sample(units.expect(none, base), uniform(units.count))
        weight = torch.zeros(runs, dtype=torch.float64)
        for k in range(1, temperatures + 1):
            beta = k / temperatures
            weight += tempered_free_energy(machine, v, base, (k - 1) / temperatures) - tempered_free_energy(
                machine, v, base, beta
            )
            h = machine.hidden.sample(beta * machine.drive(v), uniform(len(machine.bias)))
            bias = (1 - beta) * base + beta * units.bias
            v = units.sample(units.expect(beta * machine.field(h), bias), uniform(units.count))
    return _with_error(start, weight), weight


def _with_error(start: float, weight: Tensor) -> LogPartition:
    relative = (weight - weight.max()).exp()
    value = start + float(weight.max() + relative.mean().log())
    error = 3 * float(relative.std() / relative.mean()) / math.sqrt(len(weight))
    low = -math.inf if error >= 1 else math.log1p(-error)
    return LogPartition(value, value + low, value + math.log1p(error), exact=False)


def independent_biases(units: VisibleUnits, v: Tensor, seen: Tensor) -> Tensor:
    """Return the biases [units] of independent units that fit rows, with one more of each value counted."""
    count, total = seen.sum(dim=0), (v * seen).sum(dim=0)
    rate = (total + 1.0) / (count + 2.0)
    base = torch.logit(rate)
    base[: units.n_gaussian] = (total / count.clamp(min=1))[: units.n_gaussian]
    base[units.soft] = ((total + 1.0) / (count + 1.0))[units.soft].log()
    base[units.binary.stop :] = 0
    return base
