"""Robust likelihood heads in original units, where an expectation differs from one on the compressed scale."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.scaling import LINEAR
from anomalo.nn.distributed.shares import sum_of_batch
from anomalo.nn.layers import LOG_TWO_PI, SMALLEST_SCALE, ColumnHeads, log_softmax

FARTHEST = 5.0
"""Numbers are clipped this many e-foldings beyond the linear part: 445 scales from the centre."""
REACH = 15.0
"""Numbers are clipped this many standard deviations from the mean in training."""
HUBER = 3.0
"""Beyond this many standard deviations of the column the loss grows linearly, not with the square."""

FASTER = 10.0
"""The scales learn this many times faster than the weights, so that short trainings find them too."""


def natural(encoded: Tensor) -> Tensor:
    """Undo the encoder's compression, [...] in units of each column's robust scale; see `scaling.expand`."""
    distance = encoded.abs()
    beyond = (distance / LINEAR - 1).clamp(0, FARTHEST)
    return torch.where(beyond > 0, LINEAR * beyond.exp(), distance).copysign(encoded)


def compressed(values: Tensor) -> Tensor:
    """Compress numbers [...] in units of each column's robust scale, as `scaling.compress` does."""
    distance = values.abs()
    far = LINEAR + LINEAR * (distance.clamp(min=LINEAR) / LINEAR).log()
    return torch.where(distance > LINEAR, far, distance).copysign(values)


class NaturalHeads(ColumnHeads):
    """One likelihood per column, whose numbers are expected in original units, not on the encoder's compressed scale.

    A number's likelihood is Gaussian near the prediction and falls off exponentially far from it (Huber 1964,
    Robust estimation of a location parameter, Annals of Mathematical Statistics 35), its scale is learned.
    """

    def initialise(self, data: Encoded) -> None:
        """Start from the table's means and level frequencies."""
        values = data.values.copy()
        values[:, data.layout.numbers] = natural(torch.from_numpy(values[:, data.layout.numbers])).numpy()
        super().initialise(replace(data, values=values))

    def standardise(self, x: Tensor) -> Tensor:
        """Return the numbers [n, numbers] with mean 0 and standard deviation 1 before compression."""
        return (natural(self.pick(x)) - self.mean).div_(self.deviation).clamp_(-REACH, REACH)

    def encoded(self, standardised: Tensor) -> Tensor:
        """Return standardised numbers [..., numbers] in encoded units."""
        return compressed(standardised * self.deviation + self.mean)

    def scale(self) -> Tensor:
        """Return the standard deviation of each number's residual, in units of the column's standard deviation."""
        raw = FASTER * self.log_scale + math.log(math.e - 1)
        return SMALLEST_SCALE + F.softplus(raw) * (1 - SMALLEST_SCALE)

    def _number_nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        return self._robust(self.center(parameters), self.standardise(x))

    def _robust(self, center: Tensor, truth: Tensor) -> Tensor:
        """Return Huber's loss over the squared scale, plus its logarithm, [..., numbers]."""
        scale = self.scale()
        error = F.huber_loss(center, truth.expand_as(center), reduction="none", delta=HUBER)
        return error / scale.square() + (scale.log() + 0.5 * LOG_TWO_PI)

    def mean_nll_of_members(self, members: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """Return the members' mean negative log-likelihood over the cells, by weight, a scalar in nats.

        A number counts in proportion to its scale, so that those that are easy to predict do not dominate the others
        (Seitzer et al. 2022, On the pitfalls of heteroscedastic uncertainty estimation, ICLR, with beta 0.5).

        Parameters
        ----------
        members : float32 [members, n, parameters]
        x, weight : float32 [n, columns]
            A cell without a weight may hold anything.
        """
        numbers = self._robust(members[:, :, : len(self.mean)].float(), self.standardise(x))
        total = (numbers.sum(dim=0) * self.pick(weight) * self.scale().detach()).sum()
        for group in self.groups:
            logits = members[:, :, group.slice].reshape(*members.shape[:2], len(group.positions), group.width)
            codes = group.codes(x).expand(len(members), -1, -1)[..., None]
            likelihood = log_softmax(logits.float()).gather(3, codes).squeeze(3)
            total = total - (likelihood.sum(dim=0) * weight.index_select(1, group.columns)).sum()
        return total / (len(members) * sum_of_batch(weight.sum())).clamp(min=1)

    def pooled(self, members: Tensor) -> Tensor:
        """Return the parameters [n, parameters] of the mean of several members' predictions [members, n, parameters].

        A category's probabilities are the mean of the members' probabilities.
        """
        parts = [members[:, :, : len(self.mean)].mean(dim=0)]
        for group in self.groups:
            logs = torch.stack([group.log_probabilities(member) for member in members])
            parts.append((torch.logsumexp(logs, dim=0) - math.log(len(members))).flatten(1))
        return torch.cat(parts, dim=1)
