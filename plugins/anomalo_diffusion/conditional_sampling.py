"""Rows drawn from noise given some of their cells, and what is expected of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import Encoded, Parts
from anomalo_diffusion.denoising_model import DenoisingModel
from anomalo_diffusion.noise import QuasiRandomNoise

EXPECTATION_DRAWS = 8
"""What is expected of cells is the mean of so many denoisings of pure noise."""


@dataclass(frozen=True)
class Condition:
    """What is known of rows.

    Attributes
    ----------
    parts : float32 [n, parts]
        Numbers and codes; what is not known may be anything.
    known : float32 [n, parts]
        1 where a part is known.
    allowed : float32 [n, levels]
        1 for each code's values that are possible.
    """

    parts: Tensor
    known: Tensor
    allowed: Tensor


def condition_arrays(given: Parts) -> tuple[NDArray[np.float32], ...]:
    """Return the arrays of a `Condition`, from rows as the transform gives them."""
    assert given.allowed is not None
    n = len(given.codes)
    sure = [mask.sum(axis=1, keepdims=True) == 1 for mask in given.allowed]
    known = np.concatenate([given.known_numbers, *sure], axis=1)
    allowed = np.concatenate([np.ones((n, 0), dtype=bool), *given.allowed], axis=1)
    parts = np.concatenate([given.numbers, given.codes], axis=1)
    return parts.astype(np.float32), known.astype(np.float32), allowed.astype(np.float32)


def synthetic_rows(model: DenoisingModel, given: Encoded, rng: np.random.Generator) -> Encoded:
    """Return as many rows as `given` has, with its observed cells and the others drawn given them.

    Each row by itself is random, as its noise is; but the noise of all rows is more even than by chance (quasi-random),
    so that few rows represent the model's distribution well.
    """
    table, space = model.table, model.space
    noise = QuasiRandomNoise(space.entries, len(space.sizes), int(rng.integers(2**62)))

    def draw(*known: Tensor) -> tuple[Tensor]:
        normal, uniform = (part.to(known[0].device) for part in noise.rows(len(known[0])))
        first = [normal]

        def more() -> Tensor:
            return first.pop() if first else noise.pseudo_random(normal.shape).to(normal.device)

        return (sample_parts(model, Condition(*known), more, uniform),)

    synthetic = []
    for start in range(0, len(given), model.chunk):
        some = given.take(slice(start, start + model.chunk))
        parts = model.in_chunks(draw, *condition_arrays(table.condition(some, rng, synthetic=True)))[0]
        synthetic.append(table.complete(parts[:, : table.width], parts[:, table.width :].astype(np.int64), some))
    return Encoded.concatenate(synthetic) if synthetic else given


def sample_parts(
    model: DenoisingModel,
    condition: Condition,
    noise: Callable[[], Tensor],
    uniform: Tensor,
    *,
    deterministic: bool = False,
) -> Tensor:
    """Return parts [n, parts], drawn given the condition.

    Parameters
    ----------
    noise : callable
        Returns normal noise, [n, entries].
    uniform : float32 [n, codes]
        Determines the codes.
    deterministic : bool
        Whether noise is drawn only once, at the start.
    """
    space, condition = model.space, resolve_restricted_codes(model, condition, uniform)
    clean, device = space.vectors(condition.parts), condition.parts.device
    known = condition.known if bool(condition.known.any()) else None

    def denoise(x: Tensor, level: float) -> Tensor:
        return model.denoised(x, torch.full((1,), level, device=device), clean, known)

    rows = model.reverse(denoise, noise, deterministic=deterministic)
    codes = space.draw(rows[:, space.width :], uniform).to(rows.dtype)
    return torch.where(condition.known > 0, condition.parts, torch.cat([rows[:, : space.width], codes], dim=1))


def expected_rows(model: DenoisingModel, parts: Tensor, known: Tensor) -> Tensor:
    """Return the expected clean rows [n, entries] given the known parts and nothing else.

    At a level where rows are nearly pure noise, the denoised row is the expectation, and codes have their
    probabilities. The mean over some draws of noise, the same ones for every row.
    """
    space: Any = model.space
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(EXPECTATION_DRAWS // 2, space.entries, generator=generator).to(parts.device)
    level = torch.full((1,), model.pure_noise_level(), device=parts.device)
    clean, noise_scale = space.vectors(parts), model.scales(level[:, None])[1]
    total = torch.zeros_like(clean)
    for noise in torch.cat([half, -half]):
        total += model.denoised((noise_scale * noise).expand(len(parts), -1), level, clean, known)
    return total / EXPECTATION_DRAWS


def resolve_restricted_codes(model: DenoisingModel, condition: Condition, uniform: Tensor) -> Condition:
    """Draw the codes of which some values are excluded, one after another; a drawn code is known to the next."""
    space = model.space
    for at, size in enumerate(space.sizes):
        start, part = int(space.first[at]), space.width + at
        possible = condition.allowed[:, start : start + size].sum(dim=1)
        rows = (possible > 1) & (possible < size)
        if rows.any():
            shares = expected_rows(model, condition.parts, condition.known)[:, space.width :] * condition.allowed
            code = space.draw(shares, uniform)[:, at].to(condition.parts.dtype)
            parts, known = condition.parts.clone(), condition.known.clone()
            parts[:, part] = torch.where(rows, code, parts[:, part])
            known[:, part] = torch.where(rows, 1.0, known[:, part])
            condition = Condition(parts, known, condition.allowed)
    return condition
