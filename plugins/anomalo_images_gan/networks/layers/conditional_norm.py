"""Class-conditional batch normalisation, whose scale and shift are read of an embedding that layers share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation with a scale and a shift that are linear in a condition; at first 1 and 0.

    References: de Vries et al. (2017), Modulating early visual processing by language, NIPS; Brock, Donahue and
    Simonyan (2019), Large scale GAN training for high fidelity natural image synthesis, ICLR, for the shared embedding.

    Parameters
    ----------
    channels : int
        Of the images.
    condition : int
        Width of the condition; 0 for plain batch normalisation.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=condition == 0)
        self.scale_shift = nn.Linear(condition, 2 * channels) if condition else None
        if self.scale_shift is not None:
            nn.init.normal_(self.scale_shift.weight, std=0.02)
            nn.init.zeros_(self.scale_shift.bias)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Normalise [n, C, H, W], given a condition [n, width]."""
        normal: Tensor = self.norm(images)
        if self.scale_shift is None or condition is None:
            return normal
        scale, shift = self.scale_shift(condition)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, normal, 1 + scale)
