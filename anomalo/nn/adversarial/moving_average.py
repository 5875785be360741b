"""The moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Generic

import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

Net = TypeVar("Net", bound=nn.Module, default=nn.Module)


class MovingAverage(nn.Module, Generic[Net]):
    """A network whose weights are the exponential moving average of another's.

    The share of the newest weights is larger at the start, 9 / (9 + updates), so that the first ones are forgotten.

    Reference: Yazici et al. (2019), The unusual effectiveness of averaging in GAN training, ICLR.

    Parameters
    ----------
    net : torch module
        It is copied; buffers, such as those of batch normalisation, are always its own latest ones.
    decay : float
        Of the average, from 0 to 1.
    """

    net: Net
    updates: Tensor

    def __init__(self, net: Net, decay: float) -> None:
        super().__init__()
        self.net, self.decay = copy.deepcopy(net).requires_grad_(False), decay
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, net: Net) -> None:
        """Move towards the weights of `net`."""
        self.updates += 1
        share = max(1 - self.decay, 9 / (9 + int(self.updates)))
        torch._foreach_lerp_(list(self.net.parameters()), list(net.parameters()), share)
        for mine, theirs in zip(self.net.buffers(), net.buffers(), strict=True):
            mine.copy_(theirs)
