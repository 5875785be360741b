"""Rows from noise, given some of their cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import Encoded, Parts, row_uniform

if TYPE_CHECKING:
    from anomalo_diffusion.diffusion import Diffusion

NOISES = 8
"""What is expected of cells is the mean of so many denoisings of pure noise."""
MOST_SCATTERED = 1000
"""So many of a row's random numbers are scattered at most; others are plain."""
SMALLEST = 1e-7
"""Normal noise is of shares between this and one less it."""


@dataclass(frozen=True)
class Asked:
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


def asked(given: Parts) -> tuple[NDArray[np.float32], ...]:
    """Return the arrays of `Asked`, from conditions."""
    assert given.allowed is not None
    n = len(given.codes)
    sure = [mask.sum(axis=1, keepdims=True) == 1 for mask in given.allowed]
    known = np.concatenate([given.known_numbers, *sure], axis=1)
    allowed = np.concatenate([np.ones((n, 0), dtype=bool), *given.allowed], axis=1)
    parts = np.concatenate([given.numbers, given.codes], axis=1)
    return parts.astype(np.float32), known.astype(np.float32), allowed.astype(np.float32)


def synthetic(model: Diffusion, given: Encoded, rng: np.random.Generator) -> Encoded:
    """Return as many rows as `given` has, with its observed cells and the others drawn given them.

    Each row by itself is as its noise is, random; but the rows' noise is spread more evenly than by chance, so that
    what is true of the model is true of few rows.
    """
    table, space = model.table, model.space
    noise = ScatteredNoise(space.entries, len(space.sizes), int(rng.integers(2**62)))

    def rows(*known: Tensor) -> tuple[Tensor]:
        normal, uniform = (part.to(known[0].device) for part in noise.rows(len(known[0])))
        first = [normal]

        def more() -> Tensor:
            return first.pop() if first else noise.plain(normal.shape).to(normal.device)

        return (drawn(model, Asked(*known), more, uniform),)

    made = []
    for start in range(0, len(given), model.chunk):
        some = given.take(slice(start, start + model.chunk))
        parts = model._in_chunks(rows, *asked(table.condition(some, rng, made=True)))[0]
        made.append(table.complete(parts[:, : table.width], parts[:, table.width :].astype(np.int64), some))
    return Encoded.concatenate(made) if made else given


class ScatteredNoise:
    """Random numbers for row after row, from a scrambled Sobol sequence.

    Any row's numbers are independent and random, but n rows' fill the space more evenly than n independent draws. The
    first rows' do not depend on how many follow.

    Reference: Owen (1998), Scrambling Sobol' and Niederreiter-Xing points, Journal of Complexity 14; Matousek (1998),
    On the L2-discrepancy for anchored boxes, the same volume (the scrambling).

    Parameters
    ----------
    normal, uniform : int
        How many normal and how many uniform numbers a row takes.
    seed : int
    """

    def __init__(self, normal: int, uniform: int, seed: int) -> None:
        self.normal, self.width = normal, normal + uniform
        self.scattered = min(self.width, MOST_SCATTERED)
        # A sequence has at least one dimension, and a row of constant columns takes no noise.
        self.sequence = torch.quasirandom.SobolEngine(max(1, self.scattered), scramble=True, seed=seed)
        self.generator = torch.Generator().manual_seed(seed)

    def rows(self, n: int) -> tuple[Tensor, Tensor]:
        """Return the next rows' normal and uniform numbers, float32 [n, normal] and [n, uniform]."""
        plain = torch.rand(n, self.width - self.scattered, generator=self.generator)
        shares = torch.cat([self.sequence.draw(n)[:, : self.scattered], plain], dim=1)
        return torch.special.ndtri(shares[:, : self.normal].clamp(SMALLEST, 1 - SMALLEST)), shares[:, self.normal :]

    def plain(self, shape: torch.Size) -> Tensor:
        """Return more normal numbers, which are not scattered."""
        return torch.randn(shape, generator=self.generator)


def row_noise(data: Encoded, seed: int, width: int) -> NDArray[np.float32]:
    """Return uniform numbers [n, width] that belong to each row's content."""
    columns = max(data.values.shape[1], 1)
    keyed = row_uniform(data, seed, -(-width // columns)).transpose(1, 0, 2).reshape(len(data), -1)
    return keyed[:, :width].astype(np.float32)


def drawn(
    model: Diffusion, what: Asked, noise: Callable[[], Tensor], uniform: Tensor, *, steady: bool = False
) -> Tensor:
    """Return parts [n, parts], drawn given what is asked.

    Parameters
    ----------
    noise : callable
        Returns normal noise, [n, entries].
    uniform : float32 [n, codes]
        Decides the codes.
    steady : bool
        Whether noise is asked for only once.
    """
    space, what = model.space, narrowed(model, what, uniform)
    clean, device = space.vectors(what.parts), what.parts.device
    known = what.known if bool(what.known.any()) else None

    def denoise(x: Tensor, level: float) -> Tensor:
        return model.denoised(x, torch.full((1,), level, device=device), clean, known)

    rows = model.reverse(denoise, noise, steady=steady)
    codes = space.draw(rows[:, space.width :], uniform).to(rows.dtype)
    return torch.where(what.known > 0, what.parts, torch.cat([rows[:, : space.width], codes], dim=1))


def expected(model: Diffusion, parts: Tensor, known: Tensor) -> Tensor:
    """Return the expected clean rows [n, entries] given the known parts and nothing else.

    At a level where rows are all but noise, what the network makes of noise is the expectation, and codes have their
    probabilities. The mean over some noises, the same ones for every row.
    """
    space: Any = model.space
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(NOISES // 2, space.entries, generator=generator).to(parts.device)
    level = torch.full((1,), model.top(), device=parts.device)
    clean, spread = space.vectors(parts), model.scales(level[:, None])[1]
    total = torch.zeros_like(clean)
    for noise in torch.cat([half, -half]):
        total += model.denoised((spread * noise).expand(len(parts), -1), level, clean, known)
    return total / NOISES


def narrowed(model: Diffusion, what: Asked, uniform: Tensor) -> Asked:
    """Draw the codes of which some values are excluded, one after another: they are known from then on."""
    space = model.space
    for at, size in enumerate(space.sizes):
        start, part = int(space.first[at]), space.width + at
        possible = what.allowed[:, start : start + size].sum(dim=1)
        rows = (possible > 1) & (possible < size)
        if rows.any():
            shares = expected(model, what.parts, what.known)[:, space.width :] * what.allowed
            code = space.draw(shares, uniform)[:, at].to(what.parts.dtype)
            parts, known = what.parts.clone(), what.known.clone()
            parts[:, part] = torch.where(rows, code, parts[:, part])
            known[:, part] = torch.where(rows, 1.0, known[:, part])
            what = Asked(parts, known, what.allowed)
    return what
