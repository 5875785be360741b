"""The generator, its moving average and the critic, with all that training has to remember."""

from __future__ import annotations

from typing import Generic

import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

from anomalo.nn.adversarial.moving_average import MovingAverage
from anomalo.nn.adversarial.replay_buffer import ReplayBuffer

G = TypeVar("G", bound=nn.Module, default=nn.Module)
C = TypeVar("C", bound=nn.Module, default=nn.Module)


class AdversarialNetwork(nn.Module, Generic[G, C]):
    """The generator, its moving average and the critic, in buffers of which all state of training lies.

    Parameters
    ----------
    generator, critic : torch module
        The two networks that train against each other.
    decay : float
        Of the moving average of the generator.
    replay : ReplayBuffer or None
        Keeps earlier synthetic data for the critic.

    Attributes
    ----------
    critic_updates : int64 []
        Steps of the critic so far.
    last_generator_loss : float32 []
        The generator's latest loss.
    """

    generator: G
    critic: C
    average: MovingAverage[G]
    critic_updates: Tensor
    last_generator_loss: Tensor

    def __init__(self, generator: G, critic: C, decay: float, replay: ReplayBuffer | None = None) -> None:
        super().__init__()
        self.generator, self.critic = generator, critic
        self.average = MovingAverage(generator, decay)
        self.replay = replay
        self.register_buffer("critic_updates", torch.zeros((), dtype=torch.int64))
        self.register_buffer("last_generator_loss", torch.zeros(()))

    def exchange(self, synthetic: Tensor, given: Tensor) -> Tensor:
        """Return synthetic data [n, ...] for the critic, some of it exchanged for older data if that is kept."""
        return synthetic if self.replay is None else self.replay.exchange(synthetic)
