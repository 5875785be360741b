"""The restricted Boltzmann machine: energies, conditional distributions, phases of the gradient, Gibbs sweeps."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from anomalo_boltzmann.networks.hidden_units import HIDDEN_KINDS
from anomalo_boltzmann.networks.random_streams import UniformSource
from anomalo_boltzmann.networks.visible_units import VisibleUnits

MEAN_FIELD_ROUNDS = 15
"""Rounds of mean field over units that are not observed."""
DAMPING = 0.7
"""The share of the step towards its result that each round takes."""
LARGEST_NORM = 0.95
"""With rectified and Gaussian units, the spectral norm of the weights: from 1 on there is no distribution."""


class GradientPhase(NamedTuple):
    """The mean of the derivatives of -E by the parameters, over rows.

    Attributes
    ----------
    weight : [units, hidden]
    visible : [units]
    hidden : [hidden]
    log_variance : [gaussian]
    """

    weight: Tensor
    visible: Tensor
    hidden: Tensor
    log_variance: Tensor


class RestrictedMachine(nn.Module):
    """A restricted Boltzmann machine: p(v, h) is proportional to exp(-E(v, h)).

    E(v, h) = sum_i E_i(v_i) - sum_j c_j h_j - sum_ij phi_i(v_i) W_ij h_j; for E_i and phi see `VisibleUnits`.

    Reference: Smolensky (1986); Hinton (2002), Training products of experts by minimizing contrastive divergence,
    Neural Computation 14.

    Parameters
    ----------
    units : VisibleUnits
    hidden : int
        Hidden units.
    kind : {"bernoulli", "rectified"}
        The kind of the hidden units.
    chains : int
        Persistent chains; their visible units are a buffer.
    copies : (int, int)
        How often the visible and the hidden units count while a layer of a deep machine is trained alone
        (Salakhutdinov and Hinton 2009, Deep Boltzmann machines, AISTATS).
    """

    chains: Tensor
    mask: Tensor | None

    def __init__(
        self,
        units: VisibleUnits,
        hidden: int,
        kind: str = "bernoulli",
        chains: int = 0,
        copies: tuple[int, int] = (1, 1),
        mask: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.units, self.hidden, self.kind, self.copies = units, HIDDEN_KINDS[kind], kind, copies
        self.weight = nn.Parameter(0.01 * torch.randn(units.count, hidden))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("chains", torch.zeros(chains, units.count))
        self.register_buffer("mask", mask, persistent=False)

    def drive(self, v: Tensor) -> Tensor:
        """Return the hidden units' total input, [n, hidden]."""
        return self.bias + self.copies[0] * (self.units.features(v) @ self.weight)

    def field(self, h: Tensor) -> Tensor:
        """Return what hidden units [n, hidden] add to the visible units' biases, [n, units]."""
        return self.copies[1] * (h @ self.weight.T)

    def free_energy(self, v: Tensor) -> Tensor:
        """Return -log of the sum of exp(-E(v, h)) over h, [n], for units [n, units] that are all known."""
        return self.units.energy(v).sum(dim=1) - self.hidden.cumulant(self.drive(v)).sum(dim=1)

    def phase(self, v: Tensor, h: Tensor, weight: Tensor | None = None) -> GradientPhase:
        """Return one phase of the gradient of the log-likelihood, which is the positive less the negative one.

        Parameters
        ----------
        v, h : [n, units], [n, hidden]
            Visible units, and the hidden ones' expectations given them.
        weight : [n], optional
            The rows' probabilities; equal by default.
        """
        part = torch.full_like(v[:, 0], 1 / len(v)) if weight is None else weight
        g, variance = self.units.n_gaussian, self.units.variance()
        features, weighed = self.units.features(v), h * part[:, None]
        visible = part @ features
        if not g:
            return GradientPhase(features.T @ weighed, visible, weighed.sum(dim=0), self.units.log_variance.detach())
        bias, gaussian = self.units.bias[:g], v[:, :g]
        square = (gaussian - bias).square() / 2 - gaussian * (h @ self.weight[:g].T)
        visible = torch.cat([visible[:g] - bias / variance, visible[g:]])
        return GradientPhase(features.T @ weighed, visible, weighed.sum(dim=0), (part @ square) / variance)

    def infer(self, v: Tensor, seen: Tensor) -> Tensor:
        """Return the hidden units' total input given the known visible ones, the others by mean field, [n, hidden].

        Parameters
        ----------
        v, seen : [n, units]
            The units' values, 0 where unknown, and whether they are known.
        """
        x = self.drive(v)
        if bool(seen.all()):
            return x
        for _ in range(MEAN_FIELD_ROUNDS):
            expected = self.units.expect(self.field(self.hidden.mean(x)))
            x = x + DAMPING * (self.drive(torch.where(seen, v, expected)) - x)
        return x

    def marginal(self, v: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the free energy of the known units, [n], and the expectations of all given those, [n, units].

        With unknown units the energy is an upper bound, the variational free energy of a distribution in which
        the hidden units are independent and the unknown ones follow them:
        F = sum_seen E_i(v_i) - sum_j (A(y_j) + m_j (x_j - y_j)) - sum_unseen log Z_i(W m), m = A'(y), where x is the
        known units' input. It is exact where all are known.
        """
        y = self.infer(v, seen)
        mean = self.hidden.mean(y)
        field = self.field(mean)
        inside = self.hidden.cumulant(y) + mean * (self.drive(v) - y)
        cells = torch.where(seen, self.units.energy(v), -self.units.cumulant(field))
        return cells.sum(dim=1) - inside.sum(dim=1), torch.where(seen, v, self.units.expect(field))

    def sweep(
        self, v: Tensor, noise: UniformSource, beta: float = 1.0, seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw all hidden units, then the visible ones (Gibbs sampling).

        Parameters
        ----------
        v : [n, units]
        noise : callable
            The source of uniform numbers.
        beta : float
            The inverse temperature of the weights and hidden biases.
        seen : bool [n, units], optional
            The units that stay as they are.

        Returns
        -------
        expected, v : [n, units]
            The visible units' expectations given the hidden ones, and their new values.
        """
        h = self.hidden.sample(beta * self.drive(v), noise(len(self.bias)))
        expected = self.units.expect(beta * self.field(h))
        drawn = self.units.sample(expected, noise(self.units.count))
        return expected, drawn if seen is None else torch.where(seen, v, drawn)

    def codes(self, v: Tensor, seen: Tensor) -> Tensor:
        """Return the hidden units' expectations, [n, hidden]."""
        return self.hidden.mean(self.infer(v, seen))

    def rows(self, codes: Tensor) -> Tensor:
        """Return the visible units' expectations for hidden units [n, hidden]."""
        return self.units.expect(self.field(codes))

    def constrain(self) -> None:
        """Clip the parameters to those that have a distribution, and masked connections to 0."""
        self.units.constrain()
        g = self.units.n_gaussian
        with torch.no_grad():
            if self.mask is not None:
                self.weight.mul_(self.mask)
            if g and self.kind == "rectified":
                scaled = self.weight[:g] / self.units.variance().sqrt()[:, None]
                norm = torch.linalg.matrix_norm(scaled, 2)
                self.weight[:g].mul_((LARGEST_NORM / norm).clamp(max=1))
