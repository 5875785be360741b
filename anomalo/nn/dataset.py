"""The rows that a training draws its batches from, and their order."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.encoding.encoded import Encoded

HOLDOUT_AT_LEAST = 40
"""Below this many rows nothing is held out, and early stopping uses the training loss."""


class Rows:
    """Rows to draw batches from: resident on an accelerator, gathered from the array on a CPU."""

    def __init__(self, data: Encoded, rows: NDArray[np.intp], device: torch.device) -> None:
        self.data, self.rows, self.device = data, rows, device
        self.resident = device.type != "cpu"
        if self.resident:
            self.values = torch.from_numpy(data.values[rows]).to(device)
            self.observed = torch.from_numpy(data.observed[rows]).to(device)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Return (values, observed) of the rows at `index`."""
        if self.resident:
            at = torch.from_numpy(index).to(self.device)
            return self.values[at], self.observed[at]
        rows = self.rows[index]
        return torch.from_numpy(self.data.values[rows]), torch.from_numpy(self.data.observed[rows])


class Batches:
    """Index batches whose order is a pure function of (seed, phase, epoch), so that a resume can replay it."""

    def __init__(self, rows: int, size: int, seed: int, phase: int) -> None:
        self.rows, self.size, self.seed, self.phase = rows, size, seed, phase
        self.epoch = 0
        self.skip = 0
        """Batches to leave out, once, because they were done before."""

    def __len__(self) -> int:
        return math.ceil(self.rows / self.size)

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        order = np.random.default_rng([self.seed, self.phase, self.epoch]).permutation(self.rows)
        first, self.skip = self.skip * self.size, 0
        for start in range(first, self.rows, self.size):
            yield order[start : start + self.size]


def split(n: int, share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split row numbers into training and held-out ones; nothing is held out of a small table."""
    order = np.random.default_rng([seed, 7]).permutation(n)
    held = int(n * share) if n >= HOLDOUT_AT_LEAST else 0
    return np.sort(order[held:]), np.sort(order[:held])
