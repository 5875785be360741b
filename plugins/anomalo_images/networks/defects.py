"""Synthetic defects: what a network learns to find and to undo."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

KINDS = 4
"""Pieces of other images, shades, smooth noise, and one shade for all."""
CLEAN = 0.3
"""The share of images without a defect."""
COARSE = 8
"""Smooth noise has a value for each so many pixels, and is smooth between."""
LARGEST, SMALLEST = 4.0, 0.1
"""The largest change of shade, in standard deviations of the image's pixels, and the smallest as a share of it."""
VISIBLE = 0.1
"""A pixel is of a defect if that changed it by more than this, in encoded units."""


class Damaged(NamedTuple):
    """Images [n, C, H, W] with defects, and where they are, float [n, 1, H, W] of 0 and 1."""

    images: Tensor
    where: Tensor


def damaged(images: Tensor) -> Damaged:
    """Return images with random defects: scars, lines and blobs of pieces of other images, of shades and of noise.

    References: Li, Sohn, Yoon and Pfister (2021), CutPaste, CVPR, for pieces and scars; Zavrtanik, Kristan and Skočaj
    (2021), DRAEM, ICCV, for shapes of smooth noise; Vincent, Larochelle, Bengio and Manzagol (2008), ICML, for learning
    to undo.
    """
    where = _shapes(images)
    changed = torch.lerp(images, _contents(images), where)
    seen = ((changed - images).abs().amax(dim=1, keepdim=True) > VISIBLE).to(images.dtype)
    return Damaged(changed, seen)


def _shapes(images: Tensor) -> Tensor:
    """Return a shape for each image, [n, 1, H, W] from 0 to 1: an ellipse from a blob to a line, with rough edges."""
    count, _, height, width = images.shape
    uniform = torch.rand(6, count, 1, 1, 1, device=images.device)
    row = torch.arange(height, device=images.device).reshape(1, 1, -1, 1) - uniform[0] * height
    column = torch.arange(width, device=images.device).reshape(1, 1, 1, -1) - uniform[1] * width
    angle = uniform[2] * math.pi
    along, across = (
        row * torch.sin(angle) + column * torch.cos(angle),
        row * torch.cos(angle) - column * torch.sin(angle),
    )
    side = min(height, width)
    long = 1.5 * (side / 6) ** uniform[3]  # from 1.5 pixels to a quarter of the image, all orders of size alike
    narrow = long * (1 / long.clamp(min=1.01)) ** uniform[4]  # down to one pixel
    radius = (along / long).square() + (across / narrow).square()
    rough = radius * torch.exp(0.7 * _smooth_noise(count, height, width, images))
    return torch.sigmoid(4 * (1 - rough)) * (uniform[5] >= CLEAN)


def _contents(images: Tensor) -> Tensor:
    """Return what fills the shape in each image, [n, C, H, W]."""
    count, _, height, width = images.shape
    kind = torch.randint(KINDS, (count, 1, 1, 1), device=images.device)
    sign = torch.randint(2, (count, 1, 1, 1), device=images.device) * 2 - 1
    uniform = torch.rand(count, 1, 1, 1, device=images.device)
    size = images.flatten(1).std(dim=1).reshape(-1, 1, 1, 1) * LARGEST * SMALLEST**uniform
    shade = sign * size
    shift = torch.randint(max(height, width), (2,)).tolist()
    piece = torch.roll(images[torch.randperm(count, device=images.device)], shift, (2, 3))
    noise = images + size * _smooth_noise(count, height, width, images)
    found = torch.where(kind == 0, piece, images + shade)
    found = torch.where(kind == 2, noise, found)
    return torch.where(kind == 3, images.mean(dim=(1, 2, 3), keepdim=True) + shade, found)


def _smooth_noise(count: int, height: int, width: int, like: Tensor) -> Tensor:
    small = torch.randn(count, 1, -(-height // COARSE) + 1, -(-width // COARSE) + 1, device=like.device)
    return F.interpolate(small, (height, width), mode="bicubic", align_corners=False)
