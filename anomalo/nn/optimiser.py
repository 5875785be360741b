"""AdamW that does not load torch's compiler, which takes a second and is of no use here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

_UNCOMPILED = "__dynamo_disable"
"""The attribute in which torch keeps, of a function that it must not compile, the one to call."""


class AdamW(torch.optim.AdamW):
    """Adam with decoupled weight decay.

    torch imports its compiler in the first step of any optimiser, only not to compile that. Steps here are
    the same, without the import.

    Reference: Loshchilov and Hutter (2019), Decoupled weight decay regularization, ICLR.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step; `closure`, if there is one, computes the loss again and returns it."""
        plain = getattr(torch.optim.AdamW.step, "__wrapped__", torch.optim.AdamW.step)
        return plain(self, closure)


for _method in (torch.optim.Optimizer.add_param_group, torch.optim.Optimizer.zero_grad):
    _plain = getattr(_method, "__wrapped__", None)
    if _plain is not None and not hasattr(_plain, _UNCOMPILED):
        setattr(_plain, _UNCOMPILED, _plain)


def clipped(optimizers: list[Optimizer], parameters: Sequence[nn.Parameter], longest: float) -> list[Optimizer]:
    """Return the optimisers, before each step of which the gradient of all parameters is shortened to a length.

    Reference: Pascanu, Mikolov and Bengio (2013), On the difficulty of training recurrent neural networks, ICML.
    """

    def clip(*_: object) -> None:
        nn.utils.clip_grad_norm_(parameters, longest)

    for optimizer in optimizers:
        optimizer.register_step_pre_hook(clip)
    return optimizers
