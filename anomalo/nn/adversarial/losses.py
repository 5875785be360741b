"""The losses of the generator and of the critic, and the penalties on the critic's gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def critic_loss(objective: str, real: Tensor, synthetic: Tensor) -> Tensor:
    """Return the critic's loss, a scalar, from its logits D of real and synthetic rows.

    minimax, non-saturating : -mean log sigmoid(D(real)) - mean log(1 - sigmoid(D(synthetic)))
        (Goodfellow et al. 2014, Generative adversarial nets, NIPS).
    relativistic : -mean log sigmoid(D(real_i) - D(synthetic_i))
        (Jolicoeur-Martineau 2019, The relativistic discriminator, ICLR).
    wasserstein : mean D(synthetic) - mean D(real) (Arjovsky et al. 2017, Wasserstein GAN, ICML).
    hinge : mean max(0, 1 - D(real)) + mean max(0, 1 + D(synthetic)) (Lim and Ye 2017, Geometric GAN, arXiv:1705.02894).
    """
    if objective == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + synthetic).mean()
    if objective == "relativistic":
        return F.softplus(synthetic - real).mean()
    if objective == "wasserstein":
        return synthetic.mean() - real.mean()
    return F.softplus(-real).mean() + F.softplus(synthetic).mean()


def generator_loss(objective: str, real: Tensor, synthetic: Tensor) -> Tensor:
    """Return the generator's loss, a scalar; see `critic_loss`.

    minimax : mean log(1 - sigmoid(D(synthetic))), the critic's negated, whose gradient fades while the critic wins.
    non-saturating : -mean log sigmoid(D(synthetic)).
    relativistic : -mean log sigmoid(D(synthetic_i) - D(real_i)).
    wasserstein, hinge : -mean D(synthetic).
    """
    if objective == "minimax":
        return -F.softplus(synthetic).mean()
    if objective == "relativistic":
        return F.softplus(real - synthetic).mean()
    return -synthetic.mean() if objective in ("wasserstein", "hinge") else F.softplus(-synthetic).mean()


def squared_gradient_norms(logits: Tensor, rows: Tensor) -> Tensor:
    """Return the squared length of the gradient of logits [n] with respect to data [n, ...], [n].

    It can be differentiated again.
    """
    (slope,) = torch.autograd.grad(logits.sum(), rows, create_graph=True)
    return slope.square().flatten(1).sum(dim=1)


def zero_centred_penalty(logits: Tensor, rows: Tensor) -> Tensor:
    """Return half the mean squared slope of the critic at real or at synthetic rows.

    Reference: Mescheder, Geiger and Nowozin (2018), Which training methods for GANs do actually converge?, ICML (R1 at
    real rows, R2 at synthetic ones).
    """
    return 0.5 * squared_gradient_norms(logits, rows).mean()


def one_centred_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, synthetic: Tensor) -> Tensor:
    """Return the mean of (slope - 1)^2 at random points between real and synthetic rows.

    Reference: Gulrajani et al. (2017), Improved training of Wasserstein GANs, NIPS.
    """
    share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
    between = (share * real.detach() + (1 - share) * synthetic.detach()).requires_grad_(True)
    return (squared_gradient_norms(critic(between), between).clamp(min=1e-12).sqrt() - 1).square().mean()
