"""What the network learns: to remove noise from rows of which some cells are known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anomalo.neural import AveragedNetwork, draw_rows_by_code, seeded, split_rows, sum_of_batch
from anomalo_diffusion.denoising_model import DenoisingModel
from anomalo_diffusion.network import DenoisingNetwork
from anomalo_diffusion.training.random_conditions import draw_known_parts

VALIDATION_DRAWS = 2
"""Draws of noise for the held-out loss."""


@dataclass(frozen=True)
class DenoisingLoss:
    """The losses of a fit, of rows as `training_rows` returns them.

    Attributes
    ----------
    model : DenoisingModel
        Defines the noise, and what the network predicts.
    known_share : float
        Share of the rows of which cells are known.
    pure_noise_share : float
        Share of those that are nearly pure noise.
    learns_missing : bool
        Whether the network learns which cells are missing, to sample. Then the score of a number that has none is
        noise, which the network must know to be noise; otherwise neither counts.
    even : float
        Share of the rows drawn by a code that is known, so that rare codes are seen more often.
    seed : int
        Of the noise of the held-out loss.
    """

    model: DenoisingModel
    known_share: float
    pure_noise_share: float
    learns_missing: bool
    even: float
    seed: int

    def training(self, net: AveragedNetwork[DenoisingNetwork], shares: Tensor, observed: Tensor) -> Tensor:
        """Mean loss of the parts that are not known, of the network in training; rare codes are seen more often."""
        space, n = net.online.space, int(self.even * len(shares))
        given = torch.zeros(len(shares), space.parts, device=shares.device)
        if self.learns_missing and space.sizes:
            codes = shares[:, 2 * space.width :].long()
            row, column = draw_rows_by_code(codes, n, torch.ones_like, self.model.table.label)
            shares, observed = (torch.cat([cells[row], cells[n:]]) for cells in (shares, observed))
            given[torch.arange(n), space.width + column] = 1.0
        return self.of(net.online, shares, observed, given)

    def held_out(self, net: AveragedNetwork[DenoisingNetwork], shares: Tensor, observed: Tensor) -> Tensor:
        """The loss of the averaged network, for some draws of noise: the same ones every time."""
        with seeded(self.seed, shares.device):
            return torch.stack([self.of(net.average, shares, observed) for _ in range(VALIDATION_DRAWS)]).mean()

    def of(self, net: DenoisingNetwork, shares: Tensor, observed: Tensor, given: Tensor | None = None) -> Tensor:
        """Squared error of what is predicted of numbers, and surprisal of codes in nats, for each unknown part.

        Parts that are `given` [n, parts] are known, and others at random.
        """
        model, space, n = self.model, net.space, len(shares)
        parts, width = space.jittered(shares), space.width
        clean = space.vectors(parts)
        known = draw_known_parts(observed, self.known_share)
        known = known if given is None else torch.maximum(known, given)
        pure_noise = (known.sum(dim=1) > 0) & (torch.rand(n, device=parts.device) < self.pure_noise_share)
        level = torch.where(pure_noise, model.pure_noise_level(), model.draw_levels(n, parts.device))
        noise = torch.randn_like(clean)
        observed, parts, clean, known, level, noise = split_rows(observed, parts, clean, known, level, noise)
        signal, noise_scale = model.scales(level[:, None])
        output = model.output(net, signal * clean + noise_scale * noise, level, clean, known)
        aim = model.target(clean[:, :width], noise[:, :width], level[:, None])
        losses = torch.cat([(output[:, :width] - aim).square(), space.surprisal(output[:, width:], parts)], dim=1)
        unknown = 1 - known if self.learns_missing else (1 - known) * observed
        return (losses * unknown).sum() / sum_of_batch(unknown.sum()).clamp(min=1)
