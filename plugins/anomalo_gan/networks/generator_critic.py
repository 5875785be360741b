"""The generator and the critic: residual multilayer perceptrons that see what is given of a row."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from anomalo.neural import MinibatchDeviation, MinibatchDiscrimination
from anomalo_gan.encoding.one_hot_format import OneHotFormat

NEGATIVE_SLOPE = 0.2
"""Of the leaky rectifiers."""


class Residual(nn.Module):
    """h + W act(h), as deep as asked for."""

    def __init__(self, width: int, depth: int, spectral: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(linear(width, width, spectral) for _ in range(depth))

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [n, width] to [n, width]."""
        for layer in self.layers:
            hidden = hidden + layer(F.leaky_relu(hidden, NEGATIVE_SLOPE))
        return F.leaky_relu(hidden, NEGATIVE_SLOPE)


def linear(inputs: int, outputs: int, spectral: bool = False) -> nn.Module:
    """Return a linear layer, its largest singular value kept at 1 if asked for.

    Reference: Miyato et al. (2018), Spectral normalization for generative adversarial networks, ICLR.
    """
    layer = nn.Linear(inputs, outputs)
    return spectral_norm(layer) if spectral else layer


class Generator(nn.Module):
    """Makes rows from noise and from what is given of them.

    Parameters
    ----------
    format : OneHotFormat
        How a row looks to the networks.
    noise, hidden, depth : int
        Width of the noise, of the hidden layers, and their number.
    """

    def __init__(self, format: OneHotFormat, noise: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.noise, self.width = noise, format.width
        self.input = nn.Linear(noise + format.entries + format.items, hidden)
        self.residual = Residual(hidden, depth)
        self.output = nn.Linear(hidden, format.entries)

    def forward(self, noise: Tensor, row: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """Return numbers [n, width] and logits of codes [n, code_entries].

        Parameters
        ----------
        noise : float32 [n, noise]
        row : float32 [n, entries]
            What is given of the rows, 0 elsewhere.
        given : float32 [n, items]
            1 for what is given.
        """
        out = self.output(self.residual(self.input(torch.cat([noise, row, given], dim=1))))
        return out[:, : self.width], out[:, self.width :]


class Critic(nn.Module):
    """Distinguishes synthetic rows from real ones, `pack` of them at a time.

    Parameters
    ----------
    format : OneHotFormat
        How a row looks to the networks.
    hidden, depth : int
        Width of the hidden layers, and their number.
    pack : int
        Rows that are evaluated together (Lin, Khetan, Fanti and Oh 2018, PacGAN, NeurIPS).
    spectral : bool
        Whether every layer's largest singular value is 1.
    minibatch : {"none", "deviation", "discrimination"}
        What the critic sees of the rest of a row's batch; see the layers.
    """

    def __init__(
        self,
        format: OneHotFormat,
        hidden: int,
        depth: int,
        pack: int = 1,
        spectral: bool = False,
        minibatch: str = "none",
    ) -> None:
        super().__init__()
        self.pack = pack
        self.input = linear(pack * (format.entries + format.items), hidden, spectral)
        self.residual = Residual(hidden, depth, spectral)
        self.minibatch: nn.Module = nn.Identity()
        width = hidden
        if minibatch == "deviation":
            self.minibatch, width = MinibatchDeviation(), hidden + 1
        elif minibatch == "discrimination":
            self.minibatch = MinibatchDiscrimination(hidden)
            width = hidden + self.minibatch.kernels
        self.output = linear(width, 1, spectral)

    def forward(self, row: Tensor, given: Tensor) -> Tensor:
        """Return a logit for each pack, [n // pack]: high for real ones; rows that fill no pack are left out.

        Parameters
        ----------
        row : float32 [n, entries]
        given : float32 [n, items]
            1 for what the generator was given.
        """
        both = torch.cat([row, given], dim=1)
        packs = len(both) // self.pack
        hidden = self.residual(self.input(both[: packs * self.pack].reshape(packs, -1)))
        logit: Tensor = self.output(self.minibatch(hidden))
        return logit.squeeze(1)
