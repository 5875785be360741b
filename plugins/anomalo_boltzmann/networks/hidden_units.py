"""Kinds of hidden units: expectation, random state and cumulant as functions of the total input."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class HiddenUnits(Protocol):
    """An exponential family with the total input as its natural parameter."""

    def mean(self, x: Tensor) -> Tensor:
        """Return the expectation for the total input x [n, hidden]: the derivative of `cumulant`."""

    def cumulant(self, x: Tensor) -> Tensor:
        """Return the log of the sum of exp(h x) over the unit's states, [n, hidden]."""

    def sample(self, x: Tensor, uniform: Tensor) -> Tensor:
        """Draw the unit by uniform numbers [n, hidden]."""


class Bernoulli:
    """States 0 and 1."""

    def mean(self, x: Tensor) -> Tensor:
        """Return sigmoid(x)."""
        return torch.sigmoid(x)

    def cumulant(self, x: Tensor) -> Tensor:
        """Return log(1 + exp(x))."""
        return F.softplus(x)

    def sample(self, x: Tensor, uniform: Tensor) -> Tensor:
        """Return 1 with the probability sigmoid(x)."""
        return (uniform < torch.sigmoid(x)).to(x.dtype)


class Rectified:
    """Noisy rectified linear units: endless copies of a Bernoulli unit with the biases -1/2, -3/2, ….

    Their sum has about the mean log(1 + exp(x)) and the variance sigmoid(x), and is drawn as max(0, x + noise). The
    cumulant is that of the same approximation, the integral of softplus up to x.

    Reference: Nair and Hinton (2010), Rectified linear units improve restricted Boltzmann machines, ICML.
    """

    def mean(self, x: Tensor) -> Tensor:
        """Return log(1 + exp(x))."""
        return F.softplus(x)

    def cumulant(self, x: Tensor) -> Tensor:
        """Return the integral of log(1 + exp(t)) up to x, which is -Li2(-exp(x))."""
        tail = _dilogarithm(-x.abs())
        return torch.where(x > 0, torch.pi**2 / 6 + x.square() / 2 - tail, tail)

    def sample(self, x: Tensor, uniform: Tensor) -> Tensor:
        """Return max(0, x + e), where e has the variance sigmoid(x)."""
        noise = torch.special.ndtri(uniform.clamp(1e-7, 1 - 1e-7))
        return F.relu(x + torch.sigmoid(x).sqrt() * noise)


HIDDEN_KINDS: dict[str, HiddenUnits] = {"bernoulli": Bernoulli(), "rectified": Rectified()}

_BERNOULLI_NUMBERS = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
"""B_2, B_4, …, B_14."""


def _dilogarithm(x: Tensor) -> Tensor:
    """Return -Li2(-exp(x)) for x <= 0, to double precision.

    By the series of Li2(z) in u = -log(1 - z): u - u^2 / 4 + sum over k of B_2k u^(2k + 1) / (2k + 1)!.
    Reference: 't Hooft and Veltman (1979), Scalar one-loop integrals, Nuclear Physics B 153, appendix A.
    """
    u = -F.softplus(x)
    total, power, factorial = u - u.square() / 4, u, 1.0
    for k, number in enumerate(_BERNOULLI_NUMBERS, start=1):
        power, factorial = power * u.square(), factorial * (2 * k) * (2 * k + 1)
        total = total + number / factorial * power
    return -total
