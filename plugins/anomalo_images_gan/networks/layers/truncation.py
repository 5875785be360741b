"""Truncation: noise drawn from the middle of its distribution gives more typical, less varied images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MOST = 1 - 1e-6
"""The largest absolute value of erf that is inverted."""


def truncated(noise: Tensor, threshold: float) -> Tensor:
    """Return normal noise as noise of a normal distribution that is cut off at ± threshold, by its quantiles.

    Reference: Brock, Donahue and Simonyan (2019), Large scale GAN training for high fidelity natural image synthesis,
    ICLR, section 3.1; there what lies beyond is drawn again, here all noise is moved, monotonically, with the same
    distribution, so that one draw gives one image at every threshold.

    Examples
    --------
    >>> truncated(torch.tensor([-9.0, 0.0, 9.0]), 0.5).round(decimals=3).tolist()
    [-0.5, 0.0, 0.5]
    """
    central = torch.erf(noise / math.sqrt(2)) * math.erf(threshold / math.sqrt(2))
    return math.sqrt(2) * torch.erfinv(central.clamp(-MOST, MOST))
