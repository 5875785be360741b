"""The rows that the networks train on, as arrays, and how such rows look to them."""

from __future__ import annotations

import numpy as np

from anomalo.plugin import Floats, Mask, Parts
from anomalo_gan.encoding.mode_normalisation import ModeNormalisation
from anomalo_gan.encoding.one_hot_format import OneHotFormat


def one_hot_format(modes: ModeNormalisation, gumbel: float) -> tuple[OneHotFormat, list[int]]:
    """Return how rows (see `training_rows`) look, and the table's column of each of their items."""
    width, codes = _width(modes), len(modes.sizes)
    present_with, column = [(-1, 0, 0)] * width, [0] * (width + codes)
    for at, part in enumerate(modes.transform.columns):
        if part.number >= 0:
            mode = modes.mode_codes[part.number]
            present_with[part.number] = (mode.code, mode.first, mode.first + modes.count)
            column[part.number] = at
            if mode.code >= 0:
                column[width + mode.code] = at
        elif part.code >= 0:
            column[width + part.code] = at
    return OneHotFormat(width, modes.sizes, present_with, gumbel), column


def training_rows(modes: ModeNormalisation, parts: Parts) -> tuple[Floats, Mask]:
    """Return numbers and codes, float32 [n, items], and which of them are present, bool [n, items]."""
    n, width = len(parts.codes), _width(modes)
    numbers, present = np.zeros((n, width), dtype=np.float32), np.ones((n, width), dtype=bool)
    numbers[:, : parts.numbers.shape[1]] = parts.numbers
    present[:, : parts.numbers.shape[1]] = parts.known_numbers
    values = np.concatenate([numbers, parts.codes], axis=1).astype(np.float32)
    return values, np.concatenate([present, np.ones(parts.codes.shape, dtype=bool)], axis=1)


def _width(modes: ModeNormalisation) -> int:
    """Return the numbers of a row; in a table that never varies there is one, which is always 0."""
    return modes.transform.width or int(not modes.sizes)
