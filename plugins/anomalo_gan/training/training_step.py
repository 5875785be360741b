"""One step of adversarial training: the critic's update, and now and then the generator's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from anomalo_gan.networks.gan_network import GanNetwork
from anomalo_gan.networks.generator_critic import Critic
from anomalo_gan.sample_quality import energy_distance
from anomalo_gan.training.losses import critic_loss, generator_loss

COMPARED_ROWS = 64
"""Rows of a batch whose energy distance is the loss that is reported: enough for its mean over an epoch."""

DrawBatch = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From a batch (values, observed) to real rows [n, entries] and what is given of them [n, items]."""
CriticOutputs = Callable[[Critic, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor, Tensor | float]]
"""The critic's logits of real and of synthetic rows, and the penalty on its slopes with a weight."""


@dataclass
class TrainingStep:
    """Updates the critic, and every `critic_steps` times the generator, on a batch.

    Parameters
    ----------
    net : GanNetwork
    optimizers : list of Optimizer
        The critic's and the generator's.
    objective : str
        See `critic_loss`.
    draw_batch, critic_outputs : callable
        See `DrawBatch` and `CriticOutputs`.
    penalty : float
        Weight of the penalty.
    penalty_every : int
        It is added in one of so many steps, with as many times the weight (Karras et al. 2020, Analyzing and
        improving the image quality of StyleGAN, CVPR, appendix B: lazy regularization).
    critic_steps : int
        Steps of the critic for one of the generator.
    temperature : float
    hard : bool
        See `OneHotFormat.relax`.
    """

    net: GanNetwork
    optimizers: list[Optimizer]
    objective: str
    draw_batch: DrawBatch
    critic_outputs: CriticOutputs
    penalty: float
    penalty_every: int
    critic_steps: int
    temperature: float
    hard: bool

    def __call__(self, x: Tensor, observed: Tensor) -> dict[str, Tensor]:
        """Update; return both losses and the distance between real and synthetic rows."""
        net = self.net
        with torch.autocast(x.device.type, enabled=False):  # gradients of gradients need full precision
            real, given = self.draw_batch(*self._fill_pack(x, observed))
            synthetic = self._generate(real, given)
            loss, on_real = self._update_critic(real, synthetic.detach(), given)
            net.critic_updates += 1
            if int(net.critic_updates) % self.critic_steps == 0:
                self._update_generator(on_real, synthetic, given)
            distance = energy_distance(real[:COMPARED_ROWS].detach(), synthetic[:COMPARED_ROWS].detach())
        return {"loss": distance, "critic_loss": loss, "generator_loss": net.last_generator_loss.clone()}

    def _fill_pack(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Repeat rows that are too few for one pack."""
        if len(x) >= self.net.critic.pack:
            return x, observed
        rows = torch.arange(self.net.critic.pack, device=x.device) % len(x)
        return x[rows], observed[rows]

    def _generate(self, real: Tensor, given: Tensor) -> Tensor:
        """Return synthetic rows from what is given of real ones; gradients pass through them."""
        format, generator = self.net.format, self.net.generator
        known = format.items_to_entries(given)
        noise = torch.randn(len(real), generator.noise, device=real.device)
        numbers, logits = generator(noise, real * known, given)
        return torch.where(known > 0, real, format.join(numbers, format.relax(logits, self.temperature, self.hard)))

    def _update_critic(self, real: Tensor, synthetic: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        net, optimizer = self.net, self.optimizers[0]
        if net.replay is not None:
            synthetic = net.replay.exchange(torch.cat([synthetic, given], dim=1))[:, : net.format.entries]
        optimizer.zero_grad(set_to_none=True)
        weight = 0.0 if int(net.critic_updates) % self.penalty_every else self.penalty * self.penalty_every
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
