"""A network in training and the moving average of its weights."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Generic

import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

from anomalo.nn.trainer import Step

Net = TypeVar("Net", bound=nn.Module, default=nn.Module)


class AveragedNetwork(nn.Module, Generic[Net]):
    """A network in training and the moving average of its weights, with which models sample, score and impute.

    The average's memory grows with the steps made, up to `decay`, so that a short training has one too.

    Reference: Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models, NeurIPS, appendix B (moving average
    of the weights).

    Parameters
    ----------
    net : torch module
        It becomes `online`; `average` starts as a copy of it.
    decay : float
        Of the average, from 0 to 1.
    """

    online: Net
    average: Net
    steps: Tensor

    def __init__(self, net: Net, decay: float) -> None:
        super().__init__()
        self.online, self.average, self.decay = net, copy.deepcopy(net), decay
        self.average.requires_grad_(False)
        self.average.eval()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def train(self, mode: bool = True) -> AveragedNetwork[Net]:
        """Set the mode of the network in training; the average is always in evaluation mode."""
        super().train(mode)
        self.average.eval()
        return self

    @cached_property
    def _weights(self) -> tuple[list[Tensor], list[Tensor]]:
        return list(self.average.parameters()), list(self.online.parameters())

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + int(self.steps)) / (10 + int(self.steps)))
        torch._foreach_lerp_(*self._weights, 1 - decay)

    def after(self, step: Step) -> Step:
        """Return a step of training that moves the average, too."""

        def averaged(*batch: Tensor) -> dict[str, Tensor]:
            output = step(*batch)
            self.update()
            return output

        return averaged
