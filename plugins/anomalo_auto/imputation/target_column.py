"""The target of a column's predictors: a number on its own scale, or the probabilities of a category's levels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Floats, Mask, expand

SMALLEST = 1e-4
"""The smallest probability of a level of the training rows."""


FARTHEST = 18.0
"""The largest absolute encoded number; larger ones are clipped to it: 445 times the column's scale from its centre."""


def expanded(encoded: NDArray[Any]) -> NDArray[np.float64]:
    """Return encoded numbers without compression, in units of the column's scale."""
    return expand(np.clip(encoded, -FARTHEST, FARTHEST))


@dataclass(frozen=True)
class Target:
    """A column to predict.

    Attributes
    ----------
    block : Block
        The column.
    seen : bool [n]
        The training rows in which it is observed.
    truth : float64 [m]
        Their numbers in units of the column's scale, or their levels counted from 0.
    """

    block: Block
    seen: Mask
    truth: NDArray[np.float64]

    @classmethod
    def of(cls, data: Encoded, block: Block) -> "Target":
        """Return the target for a column of the training rows."""
        seen = data.observed[:, block.position]
        values = data.values[seen, block.position]
        truth = expanded(values) if block.kind == "number" else values.astype(np.float64) - FIRST_LEVEL
        return cls(block, seen, truth)

    @property
    def number(self) -> bool:
        """Whether the column is a number."""
        return self.block.kind == "number"

    @property
    def levels(self) -> NDArray[np.intp]:
        """The observed levels of a category, intp [m]."""
        return self.truth.astype(np.intp)

    @property
    def varies(self) -> bool:
        """Whether the observed values differ."""
        return len(self.truth) > 1 and bool((self.truth != self.truth[0]).any())

    def marginal(self) -> NDArray[np.float64]:
        """Return the prediction without any other column: the mean [1], or the shares of levels [size]."""
        if self.number:
            return np.array([self.truth.mean() if len(self.truth) else 0.0])
        counts = np.bincount(self.levels, minlength=self.block.size) + 1 / max(1, self.block.size)
        return np.asarray(counts / counts.sum())

    def outputs(self) -> NDArray[np.float64]:
        """Return the truth as outputs of a regression: numbers [m, 1], or indicators [m, size]."""
        return self.truth[:, None] if self.number else np.eye(self.block.size)[self.levels]

    def as_predictions(self, outputs: NDArray[Any]) -> Floats:
        """Return regressions' outputs [k, size] as predictions: numbers as they are, probabilities that sum to 1."""
        if self.number:
            return outputs.astype(np.float32)
        positive = np.maximum(outputs, SMALLEST)
        return np.asarray(positive / positive.sum(axis=1, keepdims=True), dtype=np.float32)

    def all_levels(self, probabilities: NDArray[Any], classes: NDArray[Any]) -> Floats:
        """Return probabilities of all levels [k, size] from those of the classes that a classifier was fitted on."""
        every = np.zeros((len(probabilities), self.block.size), dtype=np.float32)
        every[:, classes.astype(np.intp)] = probabilities
        return every
