"""Random numbers keyed by a row's content: the same row gets the same numbers in any batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded

GAMMA = 0x9E3779B97F4A7C15


def _mix(state: NDArray[Any]) -> NDArray[np.uint64]:
    """Scramble 64-bit words: the output function of SplitMix64."""
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def row_keys(data: Encoded, seed: int) -> NDArray[np.uint64]:
    """Return a 64-bit key of each row's observed cells and of the seed, [n]."""
    # Adding 0 turns -0.0 into 0.0; a cell that is not observed counts the same whatever its code.
    words = np.where(data.observed, data.values + np.float32(0), np.float32(np.nan)).view(np.uint32)
    key = _mix(np.full(len(data), (seed + GAMMA) % 2**64, dtype=np.uint64))
    for position in range(words.shape[1]):
        key = _mix((key ^ words[:, position]) + np.uint64(GAMMA))
    return key


def row_uniform(data: Encoded, seed: int, draws: int) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1) keyed by the row's content, [draws, n, columns].

    The first draws are the same however many are asked for.

    Reference: Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA
    (SplitMix64: a counter times the golden ratio, scrambled).
    """
    columns = data.values.shape[1]
    counter = np.arange(1, draws * columns + 1, dtype=np.uint64).reshape(draws, 1, columns)
    state = row_keys(data, seed)[:, None] + counter * np.uint64(GAMMA)
    return (_mix(state) >> np.uint64(11)).astype(np.float64) * 2.0**-53
