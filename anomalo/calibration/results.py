"""The results of a fitted model on a batch: scores with p-values, and their explanation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask, Scores


@dataclass(frozen=True)
class Accepted:
    """The pattern of reviewed rows that accepts each row, int32 [n] (-1: none), and the results by the model alone."""

    pattern: NDArray[np.int32]
    score: Scores
    p_value: Scores


@dataclass(frozen=True)
class Scored:
    """Scores and p-values of a batch, each float64 [n], and which rows were in training, bool [n].

    Of a model with feedback also which rows were accepted.
    """

    score: Scores
    p_value: Scores
    known: Mask
    accepted: Accepted | None = None


@dataclass(frozen=True)
class Explained:
    """The explanation of anomaly scores by cells, in encoded units except for the interval.

    Attributes
    ----------
    contribution : float64 [n, columns]
        Each cell's part of the score.
    expected : float32 [n, columns]
        Encoded values.
    low, high : float64 [n, columns]
        A 90 % interval for each number, in the column's original units; NaN for categories and points in time.
    moments : float32 [n, columns of points in time, 3]
        What is derived from each and contributes most: its number, its value and that expected; see `expected_moments`.
    near : bool [n, columns]
        Which cells are next to what is expected of them, and blamed for no broken rule.
    blamed : bool [n, columns]
        Which cells are blamed for a broken rule.
    texts : float64 [n, columns of text]
        The part of the score of each cell of columns that no model reads.
    """

    contribution: NDArray[np.float64]
    expected: NDArray[np.float32]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    moments: NDArray[np.float32]
    near: Mask
    blamed: Mask
    texts: NDArray[np.float64]
