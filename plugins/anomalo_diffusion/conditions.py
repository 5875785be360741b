"""Which cells of a training row the network is told."""

from __future__ import annotations

import torch
from torch import Tensor


def random_parts(observed: Tensor, share: float) -> Tensor:
    """Choose the parts that the network is told, float32 [n, parts]: any number of them, in a share of the rows."""
    n, device = len(observed), observed.device
    told = torch.rand(n, 1, device=device) * (torch.rand(n, 1, device=device) < share)
    return ((torch.rand(observed.shape, device=device) < told) & observed).float()
