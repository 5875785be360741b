"""Images from -1 to 1, as generators make them, and as they are encoded."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anomalo.plugin import Floats, Layout

SMALLEST_RANGE = 1e-6
"""A channel's range is not taken to be smaller."""


class PixelRange:
    """Maps each channel from the range of its encoded pixels to -1 … 1, and back.

    Parameters
    ----------
    layout : Layout
        Of images [C, H, W]; its blocks have the ranges.
    """

    def __init__(self, layout: Layout) -> None:
        low, high = (np.array([getattr(block, end) for block in layout.blocks], np.float32) for end in ("low", "high"))
        self.low = low[:, None, None]
        self.half = np.maximum(high - low, SMALLEST_RANGE)[:, None, None] / 2
        self.high = self.low + 2 * self.half

    def to_unit(self, values: Tensor) -> Tensor:
        """Return encoded images [n, C, H, W] from -1 to 1."""
        low, half = (torch.from_numpy(array).to(values.device) for array in (self.low, self.half))
        return ((values - low) / half - 1).clamp(-1, 1)

    def to_encoded(self, images: Floats) -> Floats:
        """Return images [n, C, H, W] from -1 to 1 as they are encoded, within the range of training."""
        encoded: Floats = np.clip(self.low + self.half * (images + 1), self.low, self.high)
        return encoded
