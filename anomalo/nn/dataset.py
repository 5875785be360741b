"""The rows that a training draws its batches from, and their order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.encoding.mapped import Stretch, mapping, release

Batch = tuple[Tensor, ...]
"""The tensors of some rows, one for each array: by default (values, observed)."""

RELEASED = 16_384
"""Rows that are read from mapped files before their memory is given back: 64 MiB, were each in a page of its own."""
BLOCK, WINDOW = 8_192, 32
"""Rows of files that are read together, and how many such blocks are shuffled together."""
HOLDOUT_AT_LEAST = 40
"""Below this many rows nothing is held out, and early stopping uses the training loss."""


class BatchSource(Protocol):
    """Training rows of any modality: tables, series, images."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def batch(self, index: NDArray[np.intp]) -> Batch:
        """Return the tensors of the rows at `index`, as `loss` takes them; the trainer moves them to its device."""


class ArrayRows:
    """Rows of arrays: resident on an accelerator, gathered from the arrays on a CPU, or where they lie in files.

    Parameters
    ----------
    *arrays : array [n, ...]
        Of any types and shapes, with equally many rows: values and observed, and whatever else a loss takes.
    device : str
        The device that the training runs on.

    Raises
    ------
    ValueError
        There are no arrays, or their numbers of rows differ.

    Examples
    --------
    >>> rows = ArrayRows(np.eye(3), np.arange(3))
    >>> [tensor.tolist() for tensor in rows.batch(np.array([2, 0]))]
    [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], [2, 0]]
    """

    def __init__(self, *arrays: NDArray[Any], device: str = "cpu") -> None:
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) != 1:
            raise ValueError(f"got arrays of {lengths} rows; give one or more of equally many rows")
        self.arrays, self.device = arrays, torch.device(device)
        self.on_disk, self._read = any(mapping(array) is not None for array in arrays), 0
        self.resident: Batch | None = None
        if self.device.type != "cpu" and not self.on_disk:
            self.resident = tuple(torch.tensor(array, device=self.device) for array in arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __reduce__(self) -> tuple[Callable[..., ArrayRows], tuple[Any, ...]]:
        """For another process: arrays in files stay there, and all others are on its CPU."""
        return _array_rows, tuple(Stretch.of(array) or array for array in self.arrays)

    def batch(self, index: NDArray[np.intp]) -> Batch:
        """Return a tensor of each array's rows at `index`."""
        if self.resident is not None:
            at = torch.from_numpy(index).to(self.device)
            return tuple(tensor[at] for tensor in self.resident)
        found = tuple(torch.from_numpy(array[index]) for array in self.arrays)
        self._read += len(index)
        if self.on_disk and self._read >= RELEASED:
            self._read = 0
            release(*self.arrays)
        return found


def _array_rows(*arrays: NDArray[Any] | Stretch) -> ArrayRows:
    return ArrayRows(*(array.map() if isinstance(array, Stretch) else array for array in arrays))


class SomeRows:
    """Some of the rows of a source, such as those held out, on the device of the training."""

    def __init__(self, source: BatchSource, rows: NDArray[np.intp], device: torch.device) -> None:
        self.source, self.rows, self.device = source, rows, device
        self.on_disk = bool(getattr(source, "on_disk", False))

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: NDArray[np.intp]) -> Batch:
        """Return the tensors of the rows at `index`."""
        return tuple(tensor.to(self.device) for tensor in self.source.batch(self.rows[index]))


class Batches:
    """Index batches whose order is a pure function of (seed, phase, epoch), so that a resume can replay it.

    Rows on disk, whose order is random already, are shuffled in blocks, and within windows of several blocks.
    """

    def __init__(self, rows: int, size: int, seed: int, phase: int, on_disk: bool = False) -> None:
        self.rows, self.size, self.seed, self.phase, self.on_disk = rows, size, seed, phase, on_disk
        self.epoch = 0
        self.skip = 0
        """Batches to leave out, once, because they were done before."""

    def __len__(self) -> int:
        return math.ceil(self.rows / self.size)

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        rng = np.random.default_rng([self.seed, self.phase, self.epoch])
        order = in_windows(self.rows, rng) if self.on_disk else rng.permutation(self.rows)
        first, self.skip = self.skip * self.size, 0
        for start in range(first, self.rows, self.size):
            yield order[start : start + self.size]


def in_windows(rows: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return an order of the rows in which those that follow each other lie in few stretches of a file, [rows]."""
    blocks = rng.permutation(math.ceil(rows / BLOCK))
    order = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
    order = order[order < rows]
    for start in range(0, rows, BLOCK * WINDOW):
        rng.shuffle(order[start : start + BLOCK * WINDOW])
    return order


def split(n: int, share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split row numbers into training and held-out ones; nothing is held out of a small table."""
    order = np.random.default_rng([seed, 7]).permutation(n)
    held = int(n * share) if n >= HOLDOUT_AT_LEAST else 0
    return np.sort(order[held:]), np.sort(order[:held])
