"""What the two players minimise, and what keeps the critic's gradients in bounds."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

GAMES = ("relativistic", "non-saturating", "minimax", "wasserstein")


def critic_loss(game: str, real: Tensor, made: Tensor) -> Tensor:
    """Return the critic's loss, a scalar, from its logits D of real and made rows.

    minimax, non-saturating : -mean log sigmoid(D(real)) - mean log(1 - sigmoid(D(made)))
        (Goodfellow et al. 2014, Generative adversarial nets, NIPS).
    relativistic : -mean log sigmoid(D(real_i) - D(made_i))
        (Jolicoeur-Martineau 2019, The relativistic discriminator, ICLR).
    wasserstein : mean D(made) - mean D(real) (Arjovsky et al. 2017, Wasserstein GAN, ICML).
    """
    if game == "relativistic":
        return F.softplus(made - real).mean()
    if game == "wasserstein":
        return made.mean() - real.mean()
    return F.softplus(-real).mean() + F.softplus(made).mean()


def generator_loss(game: str, real: Tensor, made: Tensor) -> Tensor:
    """Return the generator's loss, a scalar; see `critic_loss`.

    minimax : mean log(1 - sigmoid(D(made))), the critic's negated, whose gradient fades while the critic wins.
    non-saturating : -mean log sigmoid(D(made)).
    relativistic : -mean log sigmoid(D(made_i) - D(real_i)).
    wasserstein : -mean D(made).
    """
    if game == "minimax":
        return -F.softplus(made).mean()
    if game == "relativistic":
        return F.softplus(real - made).mean()
    return -made.mean() if game == "wasserstein" else F.softplus(-made).mean()


def squared_slopes(logits: Tensor, rows: Tensor) -> Tensor:
    """Return the squared length of the gradient of logits [n] with respect to rows [n, entries], [n].

    It can be differentiated again.
    """
    (slope,) = torch.autograd.grad(logits.sum(), rows, create_graph=True)
    return slope.square().sum(dim=1)


def zero_centred(logits: Tensor, rows: Tensor) -> Tensor:
    """Return half the mean squared slope of the critic at real or at made rows.

    Reference: Mescheder, Geiger and Nowozin (2018), Which training methods for GANs do actually converge?, ICML (R1 at
    real rows, R2 at made ones).
    """
    return 0.5 * squared_slopes(logits, rows).mean()


def one_centred(judge: Callable[[Tensor], Tensor], real: Tensor, made: Tensor) -> Tensor:
    """Return the mean of (slope - 1)^2 at random points between real and made rows.

    Reference: Gulrajani et al. (2017), Improved training of Wasserstein GANs, NIPS.
    """
    share = torch.rand(len(real), 1, device=real.device)
    between = (share * real.detach() + (1 - share) * made.detach()).requires_grad_(True)
    return (squared_slopes(judge(between), between).clamp(min=1e-12).sqrt() - 1).square().mean()
