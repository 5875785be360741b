"""Random conditions for training: which cells of a row the network knows."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_known_parts(observed: Tensor, share: float) -> Tensor:
    """Draw the parts that the network knows, float32 [n, parts]: any number of them, in a share of the rows."""
    n, device = len(observed), observed.device
    chance = torch.rand(n, 1, device=device) * (torch.rand(n, 1, device=device) < share)
    return ((torch.rand(observed.shape, device=device) < chance) & observed).float()
