"""The generator and the critic of rows of a table."""

from __future__ import annotations

import torch
from torch import Tensor

from anomalo.neural import AdversarialNetwork, ReplayBuffer
from anomalo_gan.encoding.one_hot_format import OneHotFormat
from anomalo_gan.networks.generator_critic import Critic, Generator


class GanNetwork(AdversarialNetwork[Generator, Critic]):
    """The generator, its moving average and the critic of rows of a table.

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
    """

    column: Tensor

    def __init__(
        self, format: OneHotFormat, column: list[int], generator: Generator, critic: Critic, decay: float, replay: int
    ) -> None:
        kept = ReplayBuffer(replay, format.entries + format.items) if replay else None
        super().__init__(generator, critic, decay, kept)
        self.format = format
        self.register_buffer("column", torch.tensor(column, dtype=torch.int64), persistent=False)

    def exchange(self, synthetic: Tensor, given: Tensor) -> Tensor:
        """Return synthetic rows for the critic, some exchanged for older ones; these are kept with what was given."""
        if self.replay is None:
            return synthetic
        return self.replay.exchange(torch.cat([synthetic, given], dim=1))[:, : self.format.entries]

    def generate(self, noise: Tensor) -> Tensor:
        """Return rows [n, entries] that the averaged generator makes from noise alone."""
        row, given = (noise.new_zeros(len(noise), width) for width in (self.format.entries, self.format.items))
        numbers, logits = self.average.net(noise, row, given)
        return self.format.join(numbers, self.format.one_hot(self.format.draw(logits)))
