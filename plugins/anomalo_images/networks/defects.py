"""Synthetic defects: what a network learns to find and to undo."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalo_images.networks.layers import LEAST, around

AREA = 2048
"""An image has a defect for so many pixels, at least one and at most `MOST`, each of them with a chance of `SPOILT`."""
MOST = 4
SPOILT = 0.6
KINDS = 4
"""Pieces of other images, shades, and, twice, one shade for all."""
COARSE = 4
"""The noise of outlines has a value for each so many pixels, and is smooth between."""
USUAL = 1.5
"""Surroundings deviate by no more than so many times the image's median: beside an edge a small defect counts too."""
SHARPEST = 6.0
"""The steepest outline, in logits for its narrow radius; the softest has a sixth of that."""
LARGEST, SMALLEST = 8.0, 1.5
"""The largest and smallest change of shade, in deviations of the surroundings."""
VISIBLE = 0.7
"""A pixel is of a defect if that changed it by more than this, in deviations of the surroundings."""
BENT = 0.4
"""How far the end of a defect is off its straight line, in parts of its length, at most."""


class Damaged(NamedTuple):
    """Images [n, C, H, W] with defects, and where they are, float [n, 1, H, W] of 0 and 1."""

    images: Tensor
    where: Tensor


def damaged(images: Tensor) -> Damaged:
    """Return images with random defects: scars, lines and blobs of pieces of other images and of shades.

    References: Li, Sohn, Yoon and Pfister (2021), CutPaste, CVPR, for pieces and scars; Zavrtanik, Kristan and Skočaj
    (2021), DRAEM, ICCV, for shapes of smooth noise; Vincent, Larochelle, Bengio and Manzagol (2008), ICML, for learning
    to undo.
    """
    height, width = images.shape[2:]
    mean = around(images)
    deviation = ((around(images.square()) - mean.square()).clamp(min=0) + LEAST**2).sqrt()
    usual = deviation.flatten(1).median(dim=1).values.reshape(-1, 1, 1, 1)
    deviation = torch.minimum(deviation, USUAL * usual)
    changed = images
    for _ in range(min(max(round(height * width / AREA), 1), MOST)):
        changed = torch.lerp(changed, _contents(images, mean, deviation), _shapes(images))
    seen = ((changed - images).abs() > VISIBLE * deviation).any(dim=1, keepdim=True).to(images.dtype)
    return Damaged(changed, seen)


def mirrored(images: Tensor, seen: Tensor, some: Tensor) -> tuple[Tensor, Tensor]:
    """Return images [n, C, H, W] and their masks; of those in `some`, [n, 1, 1, 1], half mirrored along each axis."""
    for axis in (2, 3):
        turned = (torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5) & some
        images, seen = torch.where(turned, images.flip(axis), images), torch.where(turned, seen.flip(axis), seen)
    return images, seen


def _shapes(images: Tensor) -> Tensor:
    """Return a shape for each image, [n, 1, H, W] from 0 to 1: from a blob to a bent line, rough, sharp or soft."""
    count, _, height, width = images.shape
    uniform = torch.rand(8, count, 1, 1, 1, device=images.device)
    row = torch.arange(height, device=images.device).reshape(1, 1, -1, 1) - uniform[0] * height
    column = torch.arange(width, device=images.device).reshape(1, 1, 1, -1) - uniform[1] * width
    angle = uniform[2] * math.pi
    side = min(height, width)
    long = (side / 8) ** uniform[3]  # from a pixel to an eighth of the image, all orders of size alike
    narrow = long * (0.6 / long) ** uniform[4]  # down to a line of one pixel
    along = row * torch.sin(angle) + column * torch.cos(angle)
    across = row * torch.cos(angle) - column * torch.sin(angle) + BENT * (2 * uniform[6] - 1) * along.square() / long
    radius = (along / long).square() + (across / narrow).square()
    rough = radius * torch.exp(0.7 * _smooth_noise(count, height, width, images))
    sharp = SHARPEST * (1 + 5 * uniform[7]) / 6
    return torch.sigmoid(sharp * narrow.clamp(min=1) * (1 - rough.sqrt())) * (uniform[5] < SPOILT)


def _contents(images: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Return what fills the shape in each image, [n, C, H, W]."""
    count, _, height, width = images.shape
    kind = torch.randint(KINDS, (count, 1, 1, 1), device=images.device)
    sign = torch.randint(2, (count, 1, 1, 1), device=images.device) * 2 - 1
    uniform = torch.rand(count, 1, 1, 1, device=images.device)
    size = deviation * SMALLEST * (LARGEST / SMALLEST) ** uniform
    shift = torch.randint(max(height, width), (2,)).tolist()
    piece = torch.roll(images[torch.randperm(count, device=images.device)], shift, (2, 3))
    found = torch.where(kind == 0, piece, images + sign * size)
    return torch.where(kind >= KINDS - 2, mean + sign * size, found)


def _smooth_noise(count: int, height: int, width: int, like: Tensor) -> Tensor:
    small = torch.randn(count, 1, -(-height // COARSE) + 1, -(-width // COARSE) + 1, device=like.device)
    return F.interpolate(small, (height, width), mode="bicubic", align_corners=False)
