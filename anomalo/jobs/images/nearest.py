"""The training image that is nearest to each of some images: a copy is seen at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Floats, Scores


class NearestImages:
    """Finds the nearest of other images, which are read batch by batch.

    Parameters
    ----------
    pixels : float32 [n, H, W, C]
        From 0 to 1.
    rows : int [n], optional
        Their numbers, if they are among the others: no image is nearest to itself.

    Attributes
    ----------
    distance : float64 [n]
        The root of the mean squared difference of pixels to the nearest one so far; infinite before the first.
    path : list of str or None
        What the nearest one is called.
    pixels : float32 [n, H, W, C]
        The nearest one itself.
    """

    def __init__(self, pixels: Floats, rows: NDArray[np.intp] | None = None) -> None:
        self._flat, self._rows = pixels.reshape(len(pixels), -1), rows
        self._squares = np.square(self._flat).sum(axis=1, dtype=np.float64)
        self.distance: Scores = np.full(len(pixels), np.inf)
        self.path: list[str | None] = [None] * len(pixels)
        self.pixels: Floats = np.zeros_like(pixels)

    def see(self, pixels: Floats, paths: Sequence[str], first: int) -> None:
        """Compare with a batch of other images [m, H, W, C], of which `first` is the first number."""
        others = pixels.reshape(len(pixels), -1)
        squared = np.square(others).sum(axis=1, dtype=np.float64)[None] - 2.0 * (self._flat @ others.T)
        squared += self._squares[:, None]
        if self._rows is not None:
            squared[self._rows[:, None] == first + np.arange(len(others))] = np.inf
        at = squared.argmin(axis=1)
        found = np.sqrt(np.maximum(squared[np.arange(len(at)), at], 0) / others.shape[1])
        for number in np.flatnonzero(found < self.distance):
            self.distance[number], self.path[number] = found[number], paths[at[number]]
            self.pixels[number] = pixels[at[number]]
