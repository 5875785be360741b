"""A replay buffer: earlier synthetic data that the critic sees again."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ReplayBuffer(nn.Module):
    """Keeps synthetic rows and shows the critic some again, so that the generator cannot return to an old weakness.

    A share of each batch is exchanged for rows kept earlier, and the rows that they replace are kept instead. It
    consists of buffers of the network, so that a resumed training continues with the same rows.

    Reference: Shrivastava et al. (2017), Learning from simulated and unsupervised images through adversarial training,
    CVPR, section 2.3.

    Parameters
    ----------
    rows : int
        How many are kept.
    *shape : int
        The shape of each.
    share : float
        Of the rows shown to the critic, how many come from here.
    """

    stored: Tensor
    count: Tensor

    def __init__(self, rows: int, *shape: int, share: float = 0.5) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("stored", torch.zeros(rows, *shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, synthetic: Tensor) -> Tensor:
        """Return the rows [n, *shape] with some exchanged for older ones; fill the buffer first."""
        free = min(len(self.stored) - int(self.count), len(synthetic))
        if free > 0:
            self.stored[int(self.count) : int(self.count) + free] = synthetic[:free]
            self.count += free
            return synthetic
        n = min(int(len(synthetic) * self.share), len(self.stored))
        positions = torch.randperm(len(self.stored), device=synthetic.device)[:n]
        older = self.stored[positions]
        self.stored[positions] = synthetic[:n]
        return torch.cat([older, synthetic[n:]])
