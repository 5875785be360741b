"""New rows from a trained generator, with what is given of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import Mask, Parts
from anomalo_gan.modes import Modes
from anomalo_gan.players import Players


def known_items(modes: Modes, parts: Parts, width: int) -> Mask:
    """Return which items of rows are given, bool [n, items]; a number that is known not to be there is, too."""
    numbers = np.zeros((len(parts.codes), width), dtype=bool)
    codes = np.zeros(parts.codes.shape, dtype=bool)
    for column, allowed in enumerate(parts.allowed or ()):
        codes[:, column] = allowed.sum(axis=1) == 1
    for number, at in enumerate(modes.splits):
        numbers[:, number] = parts.known_numbers[:, number]
        if at.code >= 0:
            away = (parts.codes[:, at.code] < at.first) | (parts.codes[:, at.code] >= at.first + modes.count)
            numbers[:, number] |= codes[:, at.code] & away
    return np.concatenate([numbers, codes], axis=1)


def row_values(parts: Parts, width: int) -> NDArray[np.float32]:
    """Return numbers and codes side by side, float32 [n, items]."""
    numbers = np.zeros((len(parts.codes), width), dtype=np.float32)
    numbers[:, : parts.numbers.shape[1]] = parts.numbers
    return np.concatenate([numbers, parts.codes], axis=1).astype(np.float32)


def randomness(net: Players, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return all the random numbers that n rows take: noise, and exponential ones for the codes."""
    noise = rng.standard_normal((n, net.generator.noise), dtype=np.float32)
    return noise, rng.standard_exponential((n, net.format.places), dtype=np.float32)


def maker(net: Players) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the function that makes numbers and codes of rows from `randomness` and from what is given."""
    format = net.format

    def make(x: Tensor, known: Tensor, allowed: Tensor, noise: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        given, there = known.float(), known[:, : format.width]
        numbers, logits = net.average.net(noise, format.pack(x, known) * format.spread(given), given)
        codes = format.draw(logits, format.place(allowed), chance)
        return torch.where(there, x[:, : format.width], numbers), codes.float()

    return make
