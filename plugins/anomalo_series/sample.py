"""Some of the training windows, as a matrix to learn from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from anomalo.plugin import Encoded, Mask, Run, Scores
from anomalo_series.channels import Channels


class Matrix(NamedTuple):
    """Windows as rows, float64 [n, T columns], 0 where not observed, and which cells are observed."""

    values: Scores
    seen: Mask


def sampled(data: Encoded, run: Run, most: int) -> Matrix:
    """Return at most so many random training windows, in their order."""
    rows = np.sort(run.rng.permutation(len(data))[:most])
    values, seen = Channels(data.layout).open(data.take(rows))
    matrix = np.where(seen, values, 0.0).reshape(len(rows), -1).astype(np.float64)
    return Matrix(matrix, np.ascontiguousarray(seen.reshape(matrix.shape)))


def mean_of(matrix: Matrix) -> Scores:
    """Return the mean of each cell over the windows that have it, 0 if none does."""
    return np.asarray(matrix.values.sum(axis=0) / matrix.seen.sum(axis=0).clip(min=1), dtype=np.float64)
