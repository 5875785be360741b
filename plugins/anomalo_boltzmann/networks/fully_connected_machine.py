"""The fully connected Boltzmann machine: every unit connected with every other one."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_boltzmann.networks.random_streams import UniformSource
from anomalo_boltzmann.networks.restricted_machine import MEAN_FIELD_ROUNDS
from anomalo_boltzmann.networks.visible_units import VisibleUnits

DAMPING = 0.5
"""The share of the step towards its result that each round of mean field takes."""


class FullyConnectedMachine(nn.Module):
    """E(s) = -b's - s'Js / 2 over visible and hidden units s, with J symmetric and without self-connections.

    Hidden units are extra visible ones, which stand for no column and are never known.

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
        self.blocks = [torch.nonzero(owner == at).flatten() for at in sorted(set(owner.tolist()))]

    def energy(self, s: Tensor) -> Tensor:
        """Return E(s), [n], for all units [n, units]."""
        return self.units.energy(s).sum(dim=1) - 0.5 * ((s @ self.coupling) * s).sum(dim=1)

    def relax(self, s: Tensor, known: Tensor) -> Tensor:
        """Return the units' expectations, those not known by mean field, [n, units]."""
        m = torch.where(known, s, self.units.expect(torch.zeros_like(s)))
        for _ in range(2 * MEAN_FIELD_ROUNDS):
            m = torch.where(known, s, m + DAMPING * (self.units.expect(m @ self.coupling) - m))
        return m

    def marginal(self, v: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the variational free energy of the known units, [n], and the expectations of all given those.

        F = E(m) - H(m), where m are independent units (Peterson and Anderson 1987, Complex Systems 1): an upper bound.
        """
        m = self.relax(v, seen)
        entropy = torch.where(seen, 0.0, self.units.surprisal(m, m))
        return self.energy(m) - entropy.sum(dim=1), m

    def sweep(
        self, v: Tensor, noise: UniformSource, beta: float = 1.0, seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw each unit in turn given the rest, at inverse temperature `beta`; see `RestrictedMachine.sweep`."""
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


def _one_of(shares: Tensor, uniform: Tensor) -> Tensor:
    """Draw one of the levels [n, levels] by uniform numbers [n, 1], as ones and zeros."""
    passed = (uniform >= shares.cumsum(dim=1)).sum(dim=1)
    return F.one_hot(passed.clamp(max=shares.shape[1] - 1), shares.shape[1]).to(shares.dtype)
