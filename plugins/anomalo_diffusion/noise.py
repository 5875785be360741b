"""Random numbers of rows: quasi-random for synthetic rows, keyed by the row's content for imputation."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import Encoded, row_uniform

MOST_QUASI_RANDOM = 1000
"""So many of a row's random numbers are quasi-random at most; others are pseudo-random."""
SMALLEST_SHARE = 1e-7
"""Normal noise is of shares between this and one less it."""


class QuasiRandomNoise:
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
        self.dimensions = min(self.width, MOST_QUASI_RANDOM)
        # A sequence has at least one dimension, and a row of constant columns takes no noise.
        self.sequence = torch.quasirandom.SobolEngine(max(1, self.dimensions), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
        self.generator = torch.Generator().manual_seed(seed)

    def rows(self, n: int) -> tuple[Tensor, Tensor]:
        """Return the next rows' normal and uniform numbers, float32 [n, normal] and [n, uniform]."""
        pseudo_random = torch.rand(n, self.width - self.dimensions, generator=self.generator)
        shares = torch.cat([self.sequence.draw(n)[:, : self.dimensions], pseudo_random], dim=1)
        normal, uniform = shares[:, : self.normal], shares[:, self.normal :]
        return torch.special.ndtri(normal.clamp(SMALLEST_SHARE, 1 - SMALLEST_SHARE)), uniform

    def pseudo_random(self, shape: torch.Size) -> Tensor:
        """Return more normal numbers, which are not quasi-random."""
        return torch.randn(shape, generator=self.generator)


def row_noise(data: Encoded, seed: int, width: int) -> NDArray[np.float32]:
    """Return uniform numbers [n, width] that depend on each row's content and the seed alone."""
    columns = max(data.values.shape[1], 1)
    keyed = row_uniform(data, seed, -(-width // columns)).transpose(1, 0, 2).reshape(len(data), -1)
    return keyed[:, :width].astype(np.float32)
