"""An input layer that is piecewise linear in each number, between quantiles of the training table."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import ColumnInput
from anomalo.plugin import Encoded, Layout

MOST_PIECES = 2048
"""Pieces of all numbers together, at most: wide tables have fewer for each."""


class PiecewiseInput(ColumnInput):
    """The first layer, with each number also as its positions in pieces between its quantiles.

    A piece is 0 below its lower end, 1 above its upper end and linear between: the layer is a piecewise linear
    function of each number, and can approximate steps as sharp as a tree's. A category's levels are embedded.

    Reference: Gorishniy, Rubachev and Babenko (2022), On embeddings for numerical features in tabular deep learning,
    NeurIPS, section 3.2.

    Parameters
    ----------
    layout : Layout
        The table's columns.
    width : int
        Entries of the output.
    pieces : int
        For each number.
    """

    lower: Tensor
    slope: Tensor

    def __init__(self, layout: Layout, width: int, pieces: int) -> None:
        super().__init__(layout, width)
        count = len(layout.numbers)
        pieces = max(1, min(pieces, MOST_PIECES // max(count, 1)))
        self.pieces = nn.Parameter((2 * torch.rand(width, count * pieces) - 1) * math.sqrt(3 / max(count * pieces, 1)))
        self.register_buffer("lower", torch.zeros(count, pieces))
        self.register_buffer("slope", torch.zeros(count, pieces))

    def initialise(self, data: Encoded) -> None:
        """Set the pieces' ends to the quantiles of the training table; equal quantiles give fewer pieces."""
        super().initialise(data)
        for row, position in enumerate(data.layout.numbers):
            values = data.values[data.observed[:, position], position].astype(np.float64)
            shares = np.linspace(0, 1, self.lower.shape[1] + 1)
            ends = torch.from_numpy(np.unique(np.quantile(values, shares)) if len(values) else np.zeros(1))
            count = len(ends) - 1
            self.lower[row, :count] = ends[:-1]
            self.slope[row, :count] = 1 / ends.diff()

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Map x [n, columns] and observed [n, columns] to [n, width]."""
        position = ((self.pick(x)[:, :, None] - self.lower) * self.slope).clamp_(0, 1) - 0.5
        position = position * self.pick(observed)[:, :, None]
        return super().forward(x, observed) + F.linear(position.flatten(1), self.pieces)
