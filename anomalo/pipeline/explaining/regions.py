"""The reasons of an image's score: the regions whose pixels have the largest parts of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from anomalo.encoding.encoded import Floats

REGIONS = 3
"""The most regions of an image."""
HOT = 0.25
"""A pixel is of a region if its part is at least this share of the largest one."""
LEAST = 0.05
"""A region with less than this share of the largest region's sum is none."""


@dataclass(frozen=True)
class Region:
    """A connected part of an image.

    Attributes
    ----------
    left, top, right, bottom : int
        The first and the last column and row of pixels, from 0.
    contribution : float
        The sum of its pixels' parts of the score.
    observed, expected : float
        The mean brightness of its pixels, and what is expected of it, from 0 to 1.
    """

    left: int
    top: int
    right: int
    bottom: int
    contribution: float
    observed: float
    expected: float

    @property
    def name(self) -> str:
        """Where it is, such as "x 12-19, y 3-8"."""
        x, y = (f"{low}-{high}" if low < high else f"{low}" for low, high in self._ends)
        return f"x {x}, y {y}"

    @property
    def _ends(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.left, self.right), (self.top, self.bottom)

    def to_json(self) -> dict[str, Any]:
        """Return it as a reason has it."""
        return {
            "column": self.name,
            "contribution": self.contribution,
            "observed": f"{self.observed:.2f}",
            "expected": f"{self.expected:.2f}",
        }


def regions(part: NDArray[np.float64], pixels: Floats, expected: Floats) -> list[Region]:
    """Return the regions of an image, the largest contribution first.

    Parameters
    ----------
    part : float64 [H, W]
        Each pixel's part of the score.
    pixels, expected : float32 [H, W, colours]
        From 0 to 1.

    Examples
    --------
    >>> part, dark = np.zeros((8, 8)), np.zeros((8, 8, 1), dtype=np.float32)
    >>> part[2:4, 5:8] = 1.0
    >>> [(region.name, region.contribution) for region in regions(part, dark, dark)]
    [('x 5-7, y 2-3', 6.0)]
    """
    largest = float(part.max(initial=0.0))
    if largest <= 0:
        return []
    of_pixel, _ = label(part >= HOT * largest, structure=np.ones((3, 3)))
    found = []
    for number, box in enumerate(find_objects(of_pixel), 1):
        rows, columns = box
        here = of_pixel[box] == number
        observed, guess = (float(image[box][here].mean()) for image in (pixels, expected))
        ends = columns.start, rows.start, columns.stop - 1, rows.stop - 1
        found.append(Region(*ends, float(part[box][here].sum()), observed, guess))
    found.sort(key=lambda region: -region.contribution)
    return [region for region in found[:REGIONS] if region.contribution >= LEAST * found[0].contribution]
