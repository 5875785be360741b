"""Encoded rows of numbers and codes, the form that the networks train on, and how such rows look to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalo.plugin import Block, Encoded, Layout, Parts
from anomalo_gan.encoding.mode_normalisation import ModeNormalisation
from anomalo_gan.encoding.one_hot_format import OneHotFormat


def one_hot_format(modes: ModeNormalisation, layout: Layout, gumbel: float) -> tuple[OneHotFormat, list[int]]:
    """Return how rows of this layout (see `training_rows`) look, and the table's column of each of their items."""
    width = len(layout.numbers)
    present_with, column = [(-1, 0, 0)] * width, [0] * len(layout.blocks)
    for at, part in enumerate(modes.transform.columns):
        if part.number >= 0:
            codes = modes.mode_codes[part.number]
            present_with[part.number] = (codes.code, codes.first, codes.first + modes.count)
            column[part.number] = at
            if codes.code >= 0:
                column[width + codes.code] = at
        elif part.code >= 0:
            column[width + part.code] = at
    return OneHotFormat(width, modes.sizes, present_with, gumbel), column


def training_rows(sizes: Sequence[int], parts: Parts) -> Encoded:
    """Return numbers and codes as encoded rows of a layout of their own.

    A table that never varies has one number, which is always 0.
    """
    numbers, present = parts.numbers, parts.known_numbers
    if not numbers.shape[1] and not sizes:
        numbers, present = np.zeros((len(numbers), 1), dtype=np.float32), np.ones((len(numbers), 1), dtype=bool)
    width = numbers.shape[1]
    blocks = [Block(f"number {at}", "number", at) for at in range(width)]
    for at, size in enumerate(sizes):
        blocks.append(Block(f"code {at}", "category", width + at, tuple(map(str, range(size)))))
    values = np.concatenate([numbers, parts.codes], axis=1).astype(np.float32)
    observed = np.concatenate([present, np.ones(parts.codes.shape, dtype=bool)], axis=1)
    return Encoded(values, observed, Layout("rows", (len(blocks),), tuple(blocks)))
