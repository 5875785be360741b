"""Synthetic rows from a trained generator, given some of their cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import Mask, Parts
from anomalo_gan.encoding.mode_normalisation import ModeNormalisation
from anomalo_gan.networks.gan_network import GanNetwork


def known_items(modes: ModeNormalisation, parts: Parts, width: int) -> Mask:
    """Return which items of rows are given, bool [n, items]; a number that is known to be absent counts too."""
    numbers = np.zeros((len(parts.codes), width), dtype=bool)
    codes = np.zeros(parts.codes.shape, dtype=bool)
    for column, allowed in enumerate(parts.allowed or ()):
        codes[:, column] = allowed.sum(axis=1) == 1
    for number, at in enumerate(modes.mode_codes):
        numbers[:, number] = parts.known_numbers[:, number]
        if at.code >= 0:
            absent = (parts.codes[:, at.code] < at.first) | (parts.codes[:, at.code] >= at.first + modes.count)
            numbers[:, number] |= codes[:, at.code] & absent
    return np.concatenate([numbers, codes], axis=1)


def row_values(parts: Parts, width: int) -> NDArray[np.float32]:
    """Return numbers and codes side by side, float32 [n, items]."""
    numbers = np.zeros((len(parts.codes), width), dtype=np.float32)
    numbers[:, : parts.numbers.shape[1]] = parts.numbers
    return np.concatenate([numbers, parts.codes], axis=1).astype(np.float32)


def draw_noise(net: GanNetwork, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw all the random numbers that n rows take: noise, and exponential ones for the codes."""
    noise = rng.standard_normal((n, net.generator.noise), dtype=np.float32)
    return noise, rng.standard_exponential((n, net.format.code_entries), dtype=np.float32)


def row_generator(net: GanNetwork) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the function that generates numbers and codes of rows from `draw_noise` and from what is given."""
    format = net.format

    def generate(
        x: Tensor, known: Tensor, allowed: Tensor, noise: Tensor, exponential: Tensor
    ) -> tuple[Tensor, Tensor]:
        given, present = known.float(), known[:, : format.width]
        numbers, logits = net.average.net(noise, format.encode(x, known) * format.items_to_entries(given), given)
        codes = format.draw(logits, format.flags_to_entries(allowed), exponential)
        return torch.where(present, x[:, : format.width], numbers), codes.float()

    return generate
