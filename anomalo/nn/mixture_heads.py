"""Likelihood heads whose numbers follow a mixture of Gaussians: several peaks, heavy tails, unequal noise."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Layout
from anomalo.nn.layers import LOG_TWO_PI, SMALLEST_SCALE, ColumnHeads, Group
from anomalo.nn.module_tuple import ModuleTuple

UNIT_SCALE = math.log(math.e - 1)
"""softplus of this is 1."""
WIDEST, BISECTIONS = 6.0, 24
"""A mixture's quantiles are searched within this many scales of its components, in this many bisections."""

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def emptied(module: AnyModule) -> AnyModule:
    """Return a copy of a module without its tensors and submodules, to which others are added."""
    copied = copy.copy(module)
    nn.Module.__init__(copied)
    return copied


def softmax_and_sum(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return softmax over dimension 1, and the logarithm of the sum that it divides by, without that dimension."""
    shares = torch.softmax(logits, dim=1)
    # The largest share is exp(largest - log sum), and never small: one over the number of logits at least.
    return shares, logits.amax(dim=1).sub_(shares.amax(dim=1).log_())


def scales_of(raw: Tensor) -> Tensor:
    """Return the standard deviations that unbounded parameters stand for."""
    return F.softplus(raw + UNIT_SCALE).mul_(1 - SMALLEST_SCALE).add_(SMALLEST_SCALE)


class MixtureSurprisal(Function):
    """-log sum_k w_k N(x | mean_k, scale_k), with its gradient in closed form: fewer passes than autograd's.

    With responsibilities r = softmax_k(log w_k + log N_k) and z = (x - mean) / scale, the derivative is w - r by
    the logits, -r z / scale by the means, and r (1 - z^2) / scale by the scales (Bishop 1994, equations 33 to 39).
    """

    @staticmethod
    def forward(ctx: Any, parameters: Tensor, x: Tensor) -> Tensor:
        """Return the surprisal [n, numbers] of standardised numbers under parameters [n, 3, components, numbers]."""
        logits, means, raw = parameters.unbind(1)
        scales = scales_of(raw)
        z = (x[:, None] - means).div_(scales)
        weights, total = softmax_and_sum(logits)
        shares, joint = softmax_and_sum((logits - scales.log()).addcmul_(z, z, value=-0.5))
        ctx.save_for_backward(weights, shares, z, scales, raw)
        return total.sub_(joint).add_(0.5 * LOG_TWO_PI)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the gradients by the parameters and by x."""
        weights, shares, z, scales, raw = ctx.saved_tensors
        gradient = gradient[:, None]
        by_parameters = torch.empty(len(raw), 3, *raw.shape[1:], device=raw.device)
        by_logit, by_mean, by_scale = by_parameters.unbind(1)
        torch.sub(weights, shares, out=by_logit).mul_(gradient)
        pull = shares.div(scales).mul_(gradient)
        torch.mul(pull, z, out=by_mean).neg_()
        torch.addcmul(pull, by_mean, z, out=by_scale).mul_(torch.sigmoid(raw + UNIT_SCALE)).mul_(1 - SMALLEST_SCALE)
        return by_parameters, -by_mean.sum(dim=1) if ctx.needs_input_grad[1] else None


class MixtureHeads(ColumnHeads):
    """One likelihood per column: a mixture of Gaussians for numbers, softmax for categories.

    Weights, means and scales of a number's components are all predicted from the representation.

    Reference: Bishop (1994), Mixture density networks, Aston University NCRG/94/004.

    Parameters
    ----------
    layout : Layout
        The table's columns.
    width : int
        The width of the representation that the columns are predicted from.
    components : int
        Gaussians for each number.
    """

    def __init__(self, layout: Layout, width: int, components: int = 5) -> None:
        self.components = components
        self.per_number = 3 * components
        super().__init__(layout, width)

    def _add_number_parameters(self) -> None:
        """The network predicts all parameters; there are no others."""

    def initialise(self, data: Encoded) -> None:
        """Start from components side by side, and from the levels' frequencies."""
        super().initialise(data)
        spaced = torch.linspace(-1.5, 1.5, self.components) if self.components > 1 else torch.zeros(1)
        with torch.no_grad():
            self._numbers(self.linear.bias[None])[0, 1] = spaced[:, None]

    def _numbers(self, parameters: Tensor) -> Tensor:
        """Return the numbers' part of the parameters, [n, 3, components, numbers]: numbers last, for speed."""
        count = len(self.mean)
        return parameters[:, : self.per_number * count].float().view(len(parameters), 3, self.components, count)

    def only(self, columns: Sequence[int]) -> Self:
        """Return the heads of these columns alone, which cost no more than these columns.

        They share the present weights, and gradients reach those; for one use, not to be kept.

        Parameters
        ----------
        columns : sequence of int
            Positions in the table, in the order of the smaller one's columns.
        """
        position_of = {position: at for at, position in enumerate(columns)}
        numbers, groups, entries = self._choose(position_of)
        some, device = emptied(self), self.mean.device
        some.columns = len(columns)
        some.register_buffer("mean", self.mean[numbers])
        some.register_buffer("deviation", self.deviation[numbers])
        positions = [position_of[position] for position in self.numbers[numbers].tolist()]
        some.register_buffer("numbers", torch.tensor(positions, dtype=torch.int64))
        some.groups = ModuleTuple(groups)
        some._arrange()
        some.linear = emptied(self.linear)
        some.linear.weight = self.linear.weight[entries]
        some.linear.bias = self.linear.bias[entries]  # type: ignore[assignment]
        return some.to(device)

    def _choose(self, position_of: dict[int, int]) -> tuple[list[int], list[Group], list[int]]:
        """Return which numbers `position_of` has, the groups of the categories that are, and their parameters."""
        count = len(self.mean)
        numbers = [at for at, position in enumerate(self.numbers.tolist()) if position in position_of]
        entries = [part * count + at for part in range(self.per_number) for at in numbers]
        groups = []
        for group in self.groups:
            if not position_of.keys().isdisjoint(group.positions):
                part, taken = group.only(position_of, start=len(entries))
                groups.append(part)
                entries += taken
        return numbers, groups, entries

    def mixture(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log weights, means and scales, each [n, numbers, components], for standardised numbers."""
        logits, means, raw = self._numbers(parameters).movedim(3, 2).unbind(1)
        return torch.log_softmax(logits, dim=2), means, scales_of(raw)

    def center(self, parameters: Tensor) -> Tensor:
        """Return the mixtures' means [n, numbers], standardised."""
        logits, means, _ = self._numbers(parameters).unbind(1)
        return (torch.softmax(logits, dim=1) * means).sum(dim=1)

    def number_quantiles(self, parameters: Tensor, levels: Tensor) -> Tensor:
        """Return the standardised numbers below which the shares `levels` [n, k, numbers] lie, by bisection."""
        log_weights, means, scales = self.mixture(parameters)
        weights = log_weights.exp()
        ends = (means - WIDEST * scales).amin(dim=2), (means + WIDEST * scales).amax(dim=2)
        found = []
        for level in levels.unbind(1):
            low, high = ends
            for _ in range(BISECTIONS):
                middle = (low + high) / 2
                below = (weights * torch.special.ndtr((middle[:, :, None] - means) / scales)).sum(dim=2) < level
                low, high = torch.where(below, middle, low), torch.where(below, high, middle)
            found.append((low + high) / 2)
        return torch.stack(found, dim=1)

    def _number_nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        given = self._numbers(parameters), self.standardise(x)
        surprisal: Tensor = MixtureSurprisal.apply(*given)  # type: ignore[no-untyped-call]
        return surprisal
