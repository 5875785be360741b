"""The generator, its moving average and the critic, with all that training has to remember."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anomalo_gan.encoding.one_hot_format import OneHotFormat
from anomalo_gan.networks.generator_critic import Critic, Generator
from anomalo_gan.networks.moving_average import MovingAverage
from anomalo_gan.networks.replay_buffer import ReplayBuffer


class GanNetwork(nn.Module):
    """The generator, its moving average and the critic.

    Parameters
    ----------
    format : OneHotFormat
        How a row looks to the networks.
    column : sequence of int
        The table's column that each item of a row belongs to.
    generator, critic : Generator, Critic
        The two networks that train against each other.
    decay : float
        Of the moving average of the generator.
    replay : int
        Earlier synthetic rows to keep for the critic; 0 keeps none.

    Attributes
    ----------
    critic_updates : int64 []
        Steps of the critic so far.
    last_generator_loss : float32 []
        The generator's latest loss.
    """

    critic_updates: Tensor
    last_generator_loss: Tensor
    column: Tensor

    def __init__(
        self, format: OneHotFormat, column: list[int], generator: Generator, critic: Critic, decay: float, replay: int
    ) -> None:
        super().__init__()
        self.format, self.generator, self.critic = format, generator, critic
        self.average = MovingAverage(generator, decay)
        self.replay = ReplayBuffer(replay, format.entries + format.items) if replay else None
        self.register_buffer("critic_updates", torch.zeros((), dtype=torch.int64))
        self.register_buffer("last_generator_loss", torch.zeros(()))
        self.register_buffer("column", torch.tensor(column, dtype=torch.int64), persistent=False)

    def generate(self, noise: Tensor) -> Tensor:
        """Return rows [n, entries] that the averaged generator makes from noise alone."""
        row, given = (noise.new_zeros(len(noise), width) for width in (self.format.entries, self.format.items))
        numbers, logits = self.average.net(noise, row, given)
        return self.format.join(numbers, self.format.one_hot(self.format.draw(logits)))
