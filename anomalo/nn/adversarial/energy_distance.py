"""The energy distance between two samples."""

from __future__ import annotations

import torch
from torch import Tensor


def energy_distance(one: Tensor, other: Tensor) -> Tensor:
    """Return how far two samples [n, ...] and [m, ...] are from the same distribution, a scalar.

    2 E|X - Y| - E|X - X'| - E|Y - Y'|, without bias: 0 on average if the distributions are equal, else more.

    Reference: Szekely and Rizzo (2013), Energy statistics, Journal of Statistical Planning and Inference 143.
    """
    one, other = one.flatten(1), other.flatten(1)
    between = torch.cdist(one, other).mean()
    return 2 * between - _mean_distance_within(one) - _mean_distance_within(other)


def _mean_distance_within(sample: Tensor) -> Tensor:
    pairs = max(len(sample) * (len(sample) - 1), 1)
    return torch.cdist(sample, sample).sum() / pairs
