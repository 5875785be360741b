"""Channels as numbers: categories opened to indicators, and what models say of these brought back to the channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Floats, Layout, Mask

LEVELS = 32
"""Indicators of a category, at most; its other levels have none."""
HALF = float(np.sqrt(0.5))
"""The indicator of a level: two windows that differ in a level are 1 apart."""
Energies = NDArray[np.float64]
"""How anomalous each cell is, from 0, [n, T, C]; 0 where it is not observed."""


class Channels:
    """Which columns the channels of a layout have once its categories are opened.

    Parameters
    ----------
    layout : Layout
        Of a series: its blocks are the channels.
    """

    def __init__(self, layout: Layout) -> None:
        self.blocks = layout.blocks
        sizes = [max(1, min(block.size, LEVELS)) if block.kind == "category" else 1 for block in self.blocks]
        ends = np.cumsum(sizes)
        self.columns = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.count = int(ends[-1]) if sizes else 0
        self.plain = all(block.kind == "number" for block in self.blocks)

    def open(self, data: Encoded) -> tuple[Floats, Mask]:
        """Return the values of windows, and which are observed, [n, T, columns]."""
        if self.plain:
            return data.values, data.observed
        values = np.zeros((*data.values.shape[:2], self.count), dtype=np.float32)
        observed = np.zeros(values.shape, dtype=np.bool_)
        for block, columns in zip(self.blocks, self.columns, strict=True):
            cells, seen = data.values[:, :, block.position], data.observed[:, :, block.position]
            observed[:, :, columns] = seen[:, :, None]
            values[:, :, columns] = _indicators(block, cells, columns)
        return values, observed

    def close(self, energies: Energies) -> Energies:
        """Return the sums of energies over each channel's columns, [n, T, C]."""
        if self.plain:
            return energies
        return np.stack([energies[:, :, columns].sum(axis=2) for columns in self.columns], axis=2)

    def levels(self, expected: Floats) -> Floats:
        """Return what is expected of channels: numbers, and the code of a category's largest indicator, [n, T, C]."""
        if self.plain:
            return expected
        return np.stack([_closed(*pair, expected) for pair in zip(self.blocks, self.columns, strict=True)], axis=2)


def _indicators(block: Block, cells: Floats, columns: slice) -> NDArray[np.float64]:
    if block.kind == "number":
        return np.asarray(cells[:, :, None], dtype=np.float64)
    codes = np.arange(FIRST_LEVEL, FIRST_LEVEL + columns.stop - columns.start)
    return np.asarray(HALF * (cells[:, :, None] == codes), dtype=np.float64)


def _closed(block: Block, columns: slice, expected: Floats) -> Floats:
    if block.kind == "number":
        return np.asarray(expected[:, :, columns.start], dtype=np.float32)
    found = expected[:, :, columns].argmax(axis=2) + (FIRST_LEVEL if block.size else 0)
    return np.asarray(found, dtype=np.float32)
