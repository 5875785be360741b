"""One round of the game: the critic's step, and the generator's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from anomalo_gan.energy import energy_distance
from anomalo_gan.games import critic_loss, generator_loss
from anomalo_gan.networks import Critic
from anomalo_gan.players import Players

COMPARED = 64
"""Rows of a batch whose energy distance is the loss that is reported: enough for its mean over an epoch."""

Draw = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From a batch (values, observed) to real rows [n, entries] and what is given of them [n, items]."""
Judged = Callable[[Critic, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor, Tensor | float]]
"""The critic's logits of real and of made rows, and the penalty on its slopes with a weight."""


@dataclass
class Round:
    """Plays one round on a batch.

    Parameters
    ----------
    net : Players
    optimizers : list of Optimizer
        The critic's and the generator's.
    game : str
        See `critic_loss`.
    draw, judged : callable
        See `Draw` and `Judged`.
    penalty : float
        Weight of the penalty.
    penalty_every : int
        It is reckoned with in one of so many steps, with as many times the weight (Karras et al. 2020, Analyzing and
        improving the image quality of StyleGAN, CVPR, appendix B: lazy regularization).
    critic_steps : int
        Steps of the critic for one of the generator.
    temperature : float
    hard : bool
        See `RowFormat.relax`.
    """

    net: Players
    optimizers: list[Optimizer]
    game: str
    draw: Draw
    judged: Judged
    penalty: float
    penalty_every: int
    critic_steps: int
    temperature: float
    hard: bool

    def __call__(self, x: Tensor, observed: Tensor) -> dict[str, Tensor]:
        """Play; return both losses and the distance between real and made rows."""
        net = self.net
        with torch.autocast(x.device.type, enabled=False):  # slopes of slopes want all the digits
            real, given = self.draw(*self._enough(x, observed))
            made = self._make(real, given)
            told, on_real = self._improve_critic(real, made.detach(), given)
            net.turn += 1
            if int(net.turn) % self.critic_steps == 0:
                self._improve_generator(on_real, made, given)
            distance = energy_distance(real[:COMPARED].detach(), made[:COMPARED].detach())
        return {"loss": distance, "critic_loss": told, "generator_loss": net.fooled.clone()}

    def _enough(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Repeat rows that are too few to be judged together."""
        if len(x) >= self.net.critic.pack:
            return x, observed
        rows = torch.arange(self.net.critic.pack, device=x.device) % len(x)
        return x[rows], observed[rows]

    def _make(self, real: Tensor, given: Tensor) -> Tensor:
        """Return rows made from what is given of real ones; gradients pass through them."""
        format, generator = self.net.format, self.net.generator
        known = format.spread(given)
        noise = torch.randn(len(real), generator.noise, device=real.device)
        numbers, logits = generator(noise, real * known, given)
        return torch.where(known > 0, real, format.join(numbers, format.relax(logits, self.temperature, self.hard)))

    def _improve_critic(self, real: Tensor, made: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        net, optimizer = self.net, self.optimizers[0]
        if net.replay is not None:
            made = net.replay.exchange(torch.cat([made, given], dim=1))[:, : net.format.entries]
        optimizer.zero_grad(set_to_none=True)
        weight = 0.0 if int(net.turn) % self.penalty_every else self.penalty * self.penalty_every
        on_real, on_made, penalty = self.judged(net.critic, real, made, given, weight)
        loss = critic_loss(self.game, on_real, on_made)
        (loss + penalty).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach(), on_real.detach()

    def _improve_generator(self, on_real: Tensor, made: Tensor, given: Tensor) -> None:
        net, optimizer = self.net, self.optimizers[1]
        optimizer.zero_grad(set_to_none=True)
        net.critic.requires_grad_(False)
        loss = generator_loss(self.game, on_real, net.critic(made, given))
        loss.backward()  # type: ignore[no-untyped-call]
        net.critic.requires_grad_(True)
        optimizer.step()
        net.average.update(net.generator)
        net.fooled.copy_(loss.detach())
