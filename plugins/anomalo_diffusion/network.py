"""The network that removes noise from rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import LevelEmbedding, draw_rows
from anomalo_diffusion.one_hot_space import OneHotSpace


class Dropout(nn.Module):
    """Inverted dropout by uniform numbers: torch's own takes three times as long to draw on a CPU.

    Reference: Srivastava et al. (2014), Dropout, Journal of Machine Learning Research 15.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, hidden: Tensor) -> Tensor:
        """Return units [n, width] of which a share is 0 in training, the others scaled up."""
        if not self.training or not self.share:
            return hidden
        dtype, device, width = hidden.dtype, hidden.device, hidden.shape[1]
        chance = draw_rows(lambda n: torch.rand(n, width, dtype=dtype, device=device), len(hidden))
        return hidden * (chance >= self.share) / (1 - self.share)


class ResidualBlock(nn.Module):
    """A residual block that starts as the identity; what it takes in is normalised.

    Reference: Ba, Kiros and Hinton (2016), Layer normalization.
    """

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [n, width] to [n, width]."""
        out: Tensor = hidden + self.down(self.dropout(F.silu(self.up(self.norm(hidden)))))
        return out


class DenoisingNetwork(nn.Module):
    """A residual network whose input is noisy rows, the noise level and the cells that are known.

    A table without parts, all of whose columns are constant, has one idle entry.

    Numbers are also given as sines and cosines of several frequencies, without which the network would smooth over
    fine structure. Known parts come without noise, with a flag each.

    Reference: Gorishniy et al. (2021), Revisiting deep learning models for tabular data, NeurIPS (residual network);
    Tancik et al. (2020), Fourier features let networks learn high frequency functions, NeurIPS.

    Parameters
    ----------
    space : OneHotSpace
        The vectors of rows.
    width, hidden, blocks : int
        Entries of the representation, of a block's hidden layer, and number of blocks.
    waves : int
        Frequencies for each number.
    dropout : float
        Share of hidden units dropped in training.
    """

    noisy: Tensor
    waves: Tensor

    def __init__(self, space: OneHotSpace, width: int, hidden: int, blocks: int, waves: int, dropout: float) -> None:
        super().__init__()
        self.space = space
        self.level = LevelEmbedding(width)
        self.register_buffer("waves", math.pi * 2.0 ** torch.arange(-1, waves - 1), persistent=False)
        sides = [space.entries, space.entries, 2 * waves * space.width, space.parts]
        self.input = nn.Linear(max(1, sum(sides)), width)
        noisy = torch.tensor([True, False, True, False]).repeat_interleave(torch.tensor(sides))
        self.register_buffer("noisy", noisy.nonzero().squeeze(1), persistent=False)
        self.blocks = nn.Sequential(*(ResidualBlock(width, hidden, dropout) for _ in range(blocks)))
        self.output = nn.Linear(width, max(1, space.entries))
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor, level: Tensor, clean: Tensor | None = None, known: Tensor | None = None) -> Tensor:
        """Return the network's raw output [n, entries].

        Parameters
        ----------
        x : float32 [n, entries]
            Noisy rows, scaled to a standard deviation of 1; 0 where known.
        level : float32 [n] or [1]
            The noise level, on a scale of about unit size.
        clean : float32 [n, entries], optional
            Rows without noise; 0 where not known. None, as `known`, if nothing is.
        known : float32 [n, parts], optional
            1 where a part is known.
        """
        seen = x if clean is None else x + clean
        angle = (seen[:, : self.space.width, None] * self.waves).flatten(1)
        waves = angle.sin(), angle.cos()
        if clean is None or known is None:
            values, weight = torch.cat([x, *waves], dim=1), self.input.weight[:, self.noisy]
        else:
            values, weight = torch.cat([x, clean, *waves, known], dim=1), self.input.weight
        hidden = F.linear(values, weight[:, : values.shape[1]], self.input.bias) + self.level(level)
        out: Tensor = self.output(self.blocks(hidden))
        return out[:, : self.space.entries]
