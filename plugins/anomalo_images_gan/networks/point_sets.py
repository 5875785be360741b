"""Images as sets of points: drawn where they are bright, and back."""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH = 0.7
"""Standard deviation of the dot that a point leaves in an image, in pixels."""


def points_of(images: Tensor, count: int) -> Tensor:
    """Draw points [n, count, 2] of images [n, C, H, W] from -1 to 1, in proportion to their brightness.

    A point is a row and a column from -1 to 1, uniform within its pixel; of an image that is black they are drawn
    anywhere.
    """
    _, _, height, width = images.shape
    brightness = ((images.mean(dim=1) + 1) / 2).clamp(0, 1).square().flatten(1)
    brightness = brightness + (brightness.sum(dim=1, keepdim=True) <= 0)
    pixel = torch.multinomial(brightness, count, replacement=True)
    corner = torch.stack([pixel // width, pixel % width], dim=2)
    inside = (corner + torch.rand(corner.shape, device=images.device)) / corner.new_tensor([height, width])
    return 2 * inside - 1


def density(points: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return how dense points [n, count, 2] lie at each pixel, [n, 1, height, width]: each leaves a Gaussian dot.

    A dot's values sum to 1 within the image, but for what is cut off at the edges.
    """
    rows, columns = (_along(points[..., axis], pixels) for axis, pixels in enumerate(size))
    return torch.einsum("nph,npw->nhw", rows, columns)[:, None] / (2 * torch.pi * WIDTH**2)


def _along(position: Tensor, pixels: int) -> Tensor:
    """Return the dots along one axis, [n, count, pixels], with 1 at their middle."""
    middle = torch.arange(pixels, device=position.device) + 0.5
    distance = middle - (position[..., None] + 1) / 2 * pixels
    return torch.exp(-0.5 * (distance / WIDTH).square())


def drawn(density: Tensor, gain: float) -> Tensor:
    """Return images [n, 1, H, W] from -1 to 1 of densities: the brightness 1 - exp(-gain density), from 0 to 1."""
    return 1 - 2 * torch.exp(-gain * density)


def chamfer(one: Tensor, other: Tensor) -> Tensor:
    """Return the Chamfer distance of sets [n, p, d] and [n, q, d], [n].

    The mean squared distance from each point to the nearest one of the other set, both ways added.

    Reference: Fan, Su and Guibas (2017), A point set generation network for 3D object reconstruction from a single
    image, CVPR.

    Examples
    --------
    >>> one = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
    >>> float(chamfer(one, one)), float(chamfer(one, one + torch.tensor([0.0, 1.0])))
    (0.0, 2.0)
    """
    squared = (one[:, :, None] - other[:, None]).square().sum(dim=3)
    return squared.amin(dim=2).mean(dim=1) + squared.amin(dim=1).mean(dim=1)
