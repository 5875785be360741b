"""The losses of translation without pairs: there and back, and what is there already stays."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Translation = Callable[[Tensor], Tensor]
"""From images [n, C, H, W] of one domain to as many of the other."""


def cycle_loss(images: Tensor, there: Translation, back: Translation) -> Tensor:
    """Return the mean absolute difference between images and what comes back, a scalar; 0 for inverse maps.

    Reference: Zhu, Park, Isola and Efros (2017), Unpaired image-to-image translation using cycle-consistent adversarial
    networks, ICCV, section 3.2.

    Examples
    --------
    >>> import torch
    >>> float(cycle_loss(torch.ones(1, 1, 2, 2), lambda x: 2 * x, lambda x: x / 2))
    0.0
    """
    return (back(there(images)) - images).abs().mean()


def identity_loss(images: Tensor, there: Translation) -> Tensor:
    """Return the mean absolute change of images that are of the target domain already, a scalar.

    Reference: as for `cycle_loss`, section 5.2.
    """
    return (there(images) - images).abs().mean()


def least_squares(logits: Tensor, target: float) -> Tensor:
    """Return the mean squared difference of logits to a target, 1 for real and 0 for synthetic images, a scalar.

    Reference: Mao et al. (2017), Least squares generative adversarial networks, ICCV.
    """
    return (logits - target).square().mean()
