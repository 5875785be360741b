"""Random turns, moves and stretches of images: what a code should not depend on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

TURN, STRETCH, SLANT, MOVE = 0.25, 0.12, 0.2, 0.1
"""Standard deviations: of angles in radians, of logarithms of sizes, of slants, and of moves in half images."""


def distorted(images: Tensor, seen: Tensor, amount: float) -> tuple[Tensor, Tensor]:
    """Return images [n, C, H, W] and their masks by random affine maps; at 0 they stay, at 1 digits can still be read.

    Pixels from beyond the edge are those of the edge. Values are interpolated; of masks the nearest pixel is taken.

    Reference: Jaderberg, Simonyan, Zisserman and Kavukcuoglu (2015), Spatial transformer networks, NeurIPS, section 3.
    """
    angle, high, wide, slant, down, right = amount * torch.randn(6, len(images), device=images.device)
    turn, stretch = TURN * angle, [torch.exp(STRETCH * size) for size in (wide, high)]
    rows = [
        torch.stack([torch.cos(turn) * stretch[0], SLANT * slant - torch.sin(turn) * stretch[1], MOVE * right], dim=1),
        torch.stack([torch.sin(turn) * stretch[0], torch.cos(turn) * stretch[1], MOVE * down], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    mask = F.grid_sample(seen.to(images.dtype), grid, mode="nearest", padding_mode="border", align_corners=False)
    return moved, mask > 0.5
