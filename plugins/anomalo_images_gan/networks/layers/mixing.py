"""Mixing regularisation: the styles of the first layers from one latent, those of the rest from another."""

from __future__ import annotations

import torch
from torch import Tensor


def mixed(first: Tensor, second: Tensor, crossover: Tensor, layers: int) -> Tensor:
    """Return one latent for each layer, [n, layers, latent]: of `first` before the crossover, and of `second` from it.

    So neighbouring styles do not become correlated, and each layer has its own part in an image.

    Reference: Karras, Laine and Aila (2019), A style-based generator architecture for generative adversarial networks,
    CVPR, section 3.1.

    Parameters
    ----------
    first, second : float32 [n, latent]
    crossover : int64 [n]
        The first layer of the second latent; `layers` mixes nothing.
    layers : int
        Number of layers with a style.

    Examples
    --------
    >>> mixed(torch.zeros(1, 1), torch.ones(1, 1), torch.tensor([2]), 3).flatten().tolist()
    [0.0, 0.0, 1.0]
    """
    later = torch.arange(layers, device=first.device) >= crossover[:, None]
    return torch.where(later[:, :, None], second[:, None], first[:, None])


def random_crossover(n: int, layers: int, share: float, device: torch.device) -> Tensor:
    """Draw crossovers [n], uniform from 1 to layers - 1 in a `share` of the images, and `layers`, none, in the rest."""
    drawn = torch.randint(1, max(layers, 2), (n,), device=device)
    return torch.where(torch.rand(n, device=device) < share, drawn, layers)
