"""One step of adversarial training: the critic's update, and now and then the generator's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from anomalo.nn.adversarial.energy_distance import energy_distance
from anomalo.nn.adversarial.losses import critic_loss, generator_loss, zero_centred_penalty
from anomalo.nn.adversarial.network import AdversarialNetwork

COMPARED_ROWS = 64
"""Rows of a batch whose energy distance is the loss that is reported: enough for its mean over an epoch."""

DrawBatch = Callable[..., tuple[Tensor, Tensor]]
"""From the tensors of a batch to real data [n, ...] and what both networks are given of it [n, ...]."""
Generate = Callable[[Tensor, Tensor], Tensor]
"""From real data and what is given of it to as much synthetic data, through which gradients pass."""
Critic = Callable[[Tensor, Tensor], Tensor]
"""From data and what is given of it to logits [n]: high for what is real."""
CriticOutputs = Callable[[Any, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor, Tensor | float]]
"""The critic's logits of real and of synthetic data, and the penalty on its slopes with a weight."""


def zero_centred_outputs(
    critic: Critic, real: Tensor, synthetic: Tensor, given: Tensor, weight: float
) -> tuple[Tensor, Tensor, Tensor | float]:
    """Return the critic's logits of real and of synthetic data, and the weighted penalty on its squared slopes there.

    Parameters
    ----------
    critic : callable
        Maps data [n, ...] and what is given to logits [n].
    real, synthetic : float32 [n, ...]
        Neither comes with gradients.
    weight : float
        Of the penalty; at 0 it is not computed.
    """
    real, synthetic = real.requires_grad_(weight > 0), synthetic.requires_grad_(weight > 0)
    on_real, on_synthetic = critic(real, given), critic(synthetic, given)
    if not weight:
        return on_real, on_synthetic, 0.0
    penalty = zero_centred_penalty(on_real, real) + zero_centred_penalty(on_synthetic, synthetic)
    return on_real, on_synthetic, weight * penalty


@dataclass
class AdversarialStep:
    """Updates the critic, and every `critic_steps` times the generator, on a batch: k steps for one.

    Reference: Goodfellow et al. (2014), Generative adversarial nets, NIPS, algorithm 1.

    Parameters
    ----------
    net : AdversarialNetwork
    optimizers : list of Optimizer
        The critic's and the generator's.
    objective : str
        See `critic_loss`.
    draw_batch, generate, critic_outputs : callable
        See `DrawBatch`, `Generate` and `CriticOutputs`; `zero_centred_outputs` is one of these.
    penalty : float
        Weight of the penalty.
    penalty_every : int
        It is added in one of so many steps, with as many times the weight (Karras et al. 2020, Analyzing and
        improving the image quality of StyleGAN, CVPR, appendix B: lazy regularization).
    critic_steps : int
        Steps of the critic for one of the generator.
    """

    net: AdversarialNetwork[Any, Any]
    optimizers: list[Optimizer]
    objective: str
    draw_batch: DrawBatch
    generate: Generate
    critic_outputs: CriticOutputs = zero_centred_outputs
    penalty: float = 0.0
    penalty_every: int = 1
    critic_steps: int = 1

    def __call__(self, *batch: Tensor) -> dict[str, Tensor]:
        """Update; return both losses and the distance between real and synthetic data."""
        net, x = self.net, batch[0]
        with torch.autocast(x.device.type, enabled=False):  # gradients of gradients need full precision
            real, given = self.draw_batch(*batch)
            net.critic_updates += 1
            updates_generator = int(net.critic_updates) % self.critic_steps == 0
            with torch.set_grad_enabled(updates_generator):
                synthetic = self.generate(real, given)
            loss, on_real = self._update_critic(real, synthetic.detach(), given)
            if updates_generator:
                self._update_generator(on_real, synthetic, given)
            distance = energy_distance(real[:COMPARED_ROWS].detach(), synthetic[:COMPARED_ROWS].detach())
        return {"loss": distance, "critic_loss": loss, "generator_loss": net.last_generator_loss.clone()}

    def _update_critic(self, real: Tensor, synthetic: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        net, optimizer = self.net, self.optimizers[0]
        synthetic = net.exchange(synthetic, given)
        optimizer.zero_grad(set_to_none=True)
        lazy = (int(net.critic_updates) - 1) % self.penalty_every
        weight = 0.0 if lazy else self.penalty * self.penalty_every
        on_real, on_synthetic, penalty = self.critic_outputs(net.critic, real, synthetic, given, weight)
        loss = critic_loss(self.objective, on_real, on_synthetic)
        torch.autograd.backward(loss + penalty)
        optimizer.step()
        return loss.detach(), on_real.detach()

    def _update_generator(self, on_real: Tensor, synthetic: Tensor, given: Tensor) -> None:
        net, optimizer = self.net, self.optimizers[1]
        optimizer.zero_grad(set_to_none=True)
        net.critic.requires_grad_(False)
        loss = generator_loss(self.objective, on_real, net.critic(synthetic, given))
        torch.autograd.backward(loss)
        net.critic.requires_grad_(True)
        optimizer.step()
        net.average.update(net.generator)
        net.last_generator_loss.copy_(loss.detach())
