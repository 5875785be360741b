"""How networks see the level of the noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVEL_WIDTH = 64
"""Sines and cosines of the noise level."""


class LevelEmbedding(nn.Module):
    """Noise levels as sines and cosines of many frequencies, then one hidden layer.

    Reference: Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models, NeurIPS, appendix B; the
    frequencies are for levels of about unit size, such as a time divided by T.

    Parameters
    ----------
    width : int
        Of the result.
    """

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(-1, 1.5, LEVEL_WIDTH // 2), persistent=False)
        self.hidden, self.output = nn.Linear(LEVEL_WIDTH, LEVEL_WIDTH), nn.Linear(LEVEL_WIDTH, width)

    def forward(self, level: Tensor) -> Tensor:
        """Map levels [n] or [1] to [.., width]."""
        angle = level[:, None] * self.frequencies
        out: Tensor = self.output(F.silu(self.hidden(torch.cat([angle.sin(), angle.cos()], dim=1))))
        return out
