"""How strange rows are: how badly noise is removed from them, at several noise levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import Encoded, Layout
from anomalo_diffusion.sampling import asked, expected, row_noise

if TYPE_CHECKING:
    from anomalo_diffusion.diffusion import Diffusion

SMALLEST_ERROR = 1e-4
"""No mean squared error of a number is taken to be smaller."""


def denoising_errors(model: Diffusion, rows: Encoded) -> NDArray[np.float32]:
    """Return the mean squared error of each number at each noise level in the training rows, [levels, width].

    Parameters
    ----------
    rows : Encoded
        As in training.
    """
    width, levels = model.space.width, model.judged()

    def squared(shares: Tensor, observed: Tensor) -> tuple[Tensor, ...]:
        parts, observed = model.space.jittered(shares, observed)
        clean = model.space.vectors(parts)
        found = [_removed(model, clean, level, torch.randn_like(clean), None)[:, :width] for level in levels]
        seen = observed[:, :width].float()
        return *((rows - clean[:, :width]).square() * seen for rows in found), seen

    *errors, seen = model.infer(squared, rows)
    means = [error.sum(axis=0) / np.maximum(seen.sum(axis=0), 1) for error in errors]
    return np.maximum(np.stack(means), SMALLEST_ERROR).astype(np.float32)


def strangeness(model: Diffusion, data: Encoded) -> NDArray[np.float64]:
    """Return half the squared errors of numbers in units of the training rows', and the surprise of codes, summed.

    The mean over the noise levels; the noise belongs to the row. Cells that are missing are replaced by what is
    expected of them, and do not count. Half the squared distance of numbers beyond the training range is added, which
    normal scores cannot tell.
    """
    space, levels = model.space, model.judged()
    scale, width = torch.from_numpy(model.denoising_errors_), space.entries * len(levels)

    def total(parts: Tensor, known: Tensor, allowed: Tensor, uniform: Tensor) -> tuple[Tensor]:
        clean = torch.lerp(expected(model, parts, known), space.vectors(parts), space.entries_of(known))
        noise = torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6)).view(len(parts), len(levels), -1)
        score = torch.zeros(len(parts), device=parts.device)
        for at, level in enumerate(levels):
            rows = _removed(model, clean, level, noise[:, at], None)
            errors = (rows - clean)[:, : space.width].square() / scale[at].to(parts.device) / 2
            shares = (rows * clean)[:, space.width :] @ space.member
            score += (torch.cat([errors, -shares.clamp(min=1e-6).log()], dim=1) * known).sum(dim=1)
        return (score / len(levels),)

    uniform = row_noise(data, model.seed_, width)
    score = model._in_chunks(total, *asked(model.table.condition(data)), uniform)[0].astype(np.float64)
    return score + _beyond(data, model.table.layout)


def _beyond(data: Encoded, layout: Layout) -> NDArray[np.float64]:
    """Return half the squared distances of numbers beyond the training range, in encoded units, summed, [n]."""
    blocks = [layout.blocks[at] for at in layout.numbers]
    values = data.values[:, layout.numbers].astype(np.float64)
    low, high = (np.array([getattr(block, end) for block in blocks]) for end in ("low", "high"))
    distance = np.maximum(np.maximum(values - high, low - values), 0) * data.observed[:, layout.numbers]
    return np.asarray((distance**2).sum(axis=1) / 2)


def _removed(model: Diffusion, clean: Tensor, level: float, noise: Tensor, known: Tensor | None) -> Tensor:
    """Return what is left of rows [n, entries] after noise of a level was added and removed."""
    levels = torch.full((1,), level, device=clean.device)
    signal, spread = model.scales(levels[:, None])
    return model.denoised(signal * clean + spread * noise, levels, clean, known)
