"""The anomaly score of rows: how far the network moves them at several noise levels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import Encoded, Floats, Layout, Mask
from anomalo_diffusion.conditional_sampling import condition_arrays, expected_rows
from anomalo_diffusion.denoising_model import DenoisingModel

SMALLEST_DISTANCE = 1e-4
"""No mean squared distance of a number is taken to be smaller."""


def typical_distances(model: DenoisingModel, shares: Floats, observed: Mask) -> Floats:
    """Return the mean squared distance that each number of training rows is moved at each level, [levels, width].

    Parameters
    ----------
    shares, observed : float32 [n, 2 width + codes], bool [n, parts]
        See `training_rows`.
    """
    width, levels = model.space.width, model.scoring_levels()

    def squared(shares: Tensor, observed: Tensor) -> tuple[Tensor, ...]:
        clean, seen = model.space.vectors(model.space.jittered(shares)), observed[:, :width].float()
        moved = [(_denoised(model, clean, level) - clean)[:, :width] for level in levels]
        return *(distance.square() * seen for distance in moved), seen

    *distances, seen = model.in_chunks(squared, shares, observed)
    means = [distance.sum(axis=0) / np.maximum(seen.sum(axis=0), 1) for distance in distances]
    typical: Floats = np.maximum(np.stack(means), SMALLEST_DISTANCE).astype(np.float32)
    return typical


def anomaly_scores(model: DenoisingModel, data: Encoded, distances: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far the network moves rows that it takes to be noisy, plus the surprisal of their codes, [n].

    The noise that it sees in a clean row is the gradient of the log density of rows with that much noise: large where
    rows are rare. Half the squared distances of numbers, in units of the training rows', and -log p of codes, summed;
    the mean over the noise levels. Missing cells are replaced by their expectation, and do not count. Half the squared
    distance of numbers beyond the training range is added, which normal scores do not show.

    Parameters
    ----------
    distances : float32 [levels, width]
        Those of training rows; see `typical_distances`.
    """
    space, levels = model.space, model.scoring_levels()
    scale = torch.from_numpy(distances)

    def total(parts: Tensor, known: Tensor, allowed: Tensor) -> tuple[Tensor]:
        clean = torch.lerp(expected_rows(model, parts, known), space.vectors(parts), space.parts_to_entries(known))
        score = torch.zeros(len(parts), device=parts.device)
        for at, level in enumerate(levels):
            rows = _denoised(model, clean, level)
            moved = (rows - clean)[:, : space.width].square() / scale[at].to(parts.device) / 2
            shares = space.sums((rows * clean)[:, space.width :])
            score += (torch.cat([moved, -shares.clamp(min=1e-6).log()], dim=1) * known).sum(dim=1)
        return (score / len(levels),)

    score = model.in_chunks(total, *condition_arrays(model.table.condition(data)))[0].astype(np.float64)
    return score + _beyond(data, model.table.layout)


def _beyond(data: Encoded, layout: Layout) -> NDArray[np.float64]:
    """Return half the squared distances of numbers beyond the training range, in encoded units, summed, [n]."""
    blocks = [layout.blocks[at] for at in layout.numbers]
    values = data.values[:, layout.numbers].astype(np.float64)
    low, high = (np.array([getattr(block, end) for block in blocks]) for end in ("low", "high"))
    distance = np.maximum(np.maximum(values - high, low - values), 0) * data.observed[:, layout.numbers]
    return np.asarray((distance**2).sum(axis=1) / 2)


def _denoised(model: DenoisingModel, clean: Tensor, level: float) -> Tensor:
    """Return the clean rows [n, entries] that the network sees in rows taken to be noisy, none of their cells known."""
    levels = torch.full((1,), level, device=clean.device)
    return model.denoised(model.scales(levels[:, None])[0] * clean, levels, clean, None)
