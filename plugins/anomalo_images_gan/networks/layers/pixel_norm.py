"""Pixelwise normalisation: the features of each pixel have a mean square of 1."""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 1e-8
"""Added to the mean square, so that features of zero stay zero."""


def pixel_norm(features: Tensor) -> Tensor:
    """Return features [n, C, ...] divided by the root of their mean square over the channels.

    Reference: Karras, Aila, Laine and Lehtinen (2018), Progressive growing of GANs for improved quality, stability, and
    variation, ICLR, section 4.2.

    Examples
    --------
    >>> pixel_norm(torch.tensor([[3.0, 4.0]])).square().mean()
    tensor(1.)
    """
    return features * torch.rsqrt(features.square().mean(dim=1, keepdim=True) + SMALLEST)
