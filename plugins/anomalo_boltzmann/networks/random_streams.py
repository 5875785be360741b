"""Streams of uniform numbers for each row, keyed by its content: a row gets the same ones in any batch."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import Encoded, row_uniform

UniformSource = Callable[[int], Tensor]
"""Returns the next uniform numbers, [n, width]."""
GAMMA = -0x61C8864680B583EB
"""The golden ratio, as a signed 64-bit word."""
FIRST, SECOND = -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
"""The multipliers of SplitMix64."""


def row_keys(data: Encoded, seed: int) -> NDArray[np.int64]:
    """Return a key of each row's observed cells and of the seed, int64 [n]."""
    return (row_uniform(data, seed, 1)[0, :, 0] * 2.0**53).astype(np.int64)


class RowStream:
    """A stream of uniform numbers for each key.

    Reference: Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA (SplitMix64).

    Parameters
    ----------
    keys : int64 [n]
    stream : int
        Streams of different numbers are independent.
    """

    def __init__(self, keys: Tensor, stream: int = 0) -> None:
        self.state = _mixed(_mixed(keys) ^ (stream + 1))[:, None]
        self.used = 0

    def __call__(self, width: int) -> Tensor:
        """Return the next numbers in (0, 1), float32 [n, width]."""
        counter = torch.arange(self.used + 1, self.used + width + 1, device=self.state.device)
        self.used += width
        word = _shifted(_mixed(self.state + counter * GAMMA), 41)  # 23 bits: halves of them are exact
        return (word.to(torch.float32) + 0.5) * 2.0**-23


def batch_uniforms(rows: int, device: torch.device) -> UniformSource:
    """Return a source of uniform numbers [rows, width] from torch's generator."""
    return lambda width: torch.rand(rows, width, device=device)


def _shifted(word: Tensor, bits: int) -> Tensor:
    """Shift 64-bit words to the right, filling up with zeros."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)


def _mixed(word: Tensor) -> Tensor:
    word = (word ^ _shifted(word, 30)) * FIRST
    word = (word ^ _shifted(word, 27)) * SECOND
    return word ^ _shifted(word, 31)
