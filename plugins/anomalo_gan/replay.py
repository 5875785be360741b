"""A store of rows made earlier, which the critic goes on seeing."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Replay(nn.Module):
    """Keeps made rows and shows the critic some of them again, so that the generator cannot return to an old trick.

    A share of each batch is exchanged for rows kept earlier; the rows that it replaces take their places. It is a
    buffer of the network, so that a resumed training goes on with the same rows.

    Reference: Shrivastava et al. (2017), Learning from simulated and unsupervised images through adversarial training,
    CVPR, section 2.3.

    Parameters
    ----------
    rows, width : int
        How many rows of which width are kept.
    share : float
        Of the rows shown to the critic, how many come from here.
    """

    kept: Tensor
    count: Tensor

    def __init__(self, rows: int, width: int, share: float = 0.5) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("kept", torch.zeros(rows, width))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, made: Tensor) -> Tensor:
        """Return the rows [n, width] with some exchanged for older ones; fill the store first."""
        free = min(len(self.kept) - int(self.count), len(made))
        if free > 0:
            self.kept[int(self.count) : int(self.count) + free] = made[:free]
            self.count += free
            return made
        n = min(int(len(made) * self.share), len(self.kept))
        places = torch.randperm(len(self.kept), device=made.device)[:n]
        older = self.kept[places]
        self.kept[places] = made[:n]
        return torch.cat([older, made[n:]])
