"""Both players of a game, how a table's rows look to them, and all that training has to remember."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from anomalo.plugin import Block, Encoded, Layout, Parts
from anomalo_gan.average import MovingAverage
from anomalo_gan.modes import Modes
from anomalo_gan.networks import Critic, Generator
from anomalo_gan.replay import Replay
from anomalo_gan.rows import RowFormat


class Players(nn.Module):
    """The generator, its moving average and the critic.

    Parameters
    ----------
    format : RowFormat
        How a row looks.
    column : sequence of int
        The table's column that each item of a row belongs to.
    generator, critic : Generator, Critic
        The players.
    decay : float
        Of the moving average of the generator.
    replay : int
        Rows made earlier to keep for the critic; 0 keeps none.

    Attributes
    ----------
    turn : int64 []
        Steps of the critic so far.
    fooled : float32 []
        The generator's latest loss.
    distance : float32 []
        The running mean of the distance between made and held-out rows; infinite before the first.
    """

    turn: Tensor
    fooled: Tensor
    distance: Tensor
    column: Tensor

    def __init__(
        self, format: RowFormat, column: list[int], generator: Generator, critic: Critic, decay: float, replay: int
    ) -> None:
        super().__init__()
        self.format, self.generator, self.critic = format, generator, critic
        self.average = MovingAverage(generator, decay)
        self.replay = Replay(replay, format.entries + format.items) if replay else None
        self.register_buffer("turn", torch.zeros((), dtype=torch.int64))
        self.register_buffer("fooled", torch.zeros(()))
        self.register_buffer("distance", torch.tensor(torch.inf))
        self.register_buffer("column", torch.tensor(column, dtype=torch.int64), persistent=False)

    def make(self, noise: Tensor) -> Tensor:
        """Return rows [n, entries] that the averaged generator makes of noise alone."""
        row, given = (noise.new_zeros(len(noise), width) for width in (self.format.entries, self.format.items))
        numbers, logits = self.average.net(noise, row, given)
        return self.format.join(numbers, self.format.one_hot(self.format.draw(logits)))


def row_format(modes: Modes, layout: Layout, gumbel: float) -> tuple[RowFormat, list[int]]:
    """Return how rows of this layout (see `as_rows`) look, and the table's column of each of their items."""
    width = len(layout.numbers)
    needs, column = [(-1, 0, 0)] * width, [0] * len(layout.blocks)
    for at, part in enumerate(modes.transform.columns):
        if part.number >= 0:
            split = modes.splits[part.number]
            needs[part.number], column[part.number] = (split.code, split.first, split.first + modes.count), at
            if split.code >= 0:
                column[width + split.code] = at
        elif part.code >= 0:
            column[width + part.code] = at
    return RowFormat(width, modes.sizes, needs, gumbel), column


def as_rows(sizes: Sequence[int], parts: Parts) -> Encoded:
    """Return numbers and codes as encoded rows of a layout of their own, the form that the networks train on.

    A table that never varies has one number, which is always 0.
    """
    numbers, present = parts.numbers, parts.known_numbers
    if not numbers.shape[1] and not sizes:
        numbers, present = np.zeros((len(numbers), 1), dtype=np.float32), np.ones((len(numbers), 1), dtype=bool)
    width = numbers.shape[1]
    blocks = [Block(f"number {at}", "number", at) for at in range(width)]
    for at, size in enumerate(sizes):
        blocks.append(Block(f"code {at}", "category", width + at, tuple(map(str, range(size)))))
    values = np.concatenate([numbers, parts.codes], axis=1).astype(np.float32)
    observed = np.concatenate([present, np.ones(parts.codes.shape, dtype=bool)], axis=1)
    return Encoded(values, observed, Layout("rows", (len(blocks),), tuple(blocks)))
