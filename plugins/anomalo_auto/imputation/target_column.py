"""What is predicted of one column: a number on its own scale, or the probabilities of levels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Floats, Mask, expand

SMALLEST = 1e-4
"""No level that training had is given a smaller probability."""


FARTHEST = 18.0
"""A number that the encoder puts farther out counts as no farther: 445 spreads from the centre."""


def natural(encoded: NDArray[Any]) -> NDArray[np.float64]:
    """Return encoded numbers on their own scale, in spreads."""
    return expand(np.clip(encoded, -FARTHEST, FARTHEST))


@dataclass(frozen=True)
class Target:
    """A column to predict.

    Attributes
    ----------
    block : Block
        The column.
    seen : bool [n]
        The training rows that observe it.
    truth : float64 [m]
        Their numbers in spreads, or their levels counted from 0.
    """

    block: Block
    seen: Mask
    truth: NDArray[np.float64]

    @classmethod
    def of(cls, data: Encoded, block: Block) -> "Target":
        """Take a column of the training rows."""
        seen = data.observed[:, block.position]
        values = data.values[seen, block.position]
        truth = natural(values) if block.kind == "number" else values.astype(np.float64) - FIRST_LEVEL
        return cls(block, seen, truth)

    @property
    def number(self) -> bool:
        """Whether it is a number."""
        return self.block.kind == "number"

    @property
    def levels(self) -> NDArray[np.intp]:
        """A category's levels, intp [m]."""
        return self.truth.astype(np.intp)

    @property
    def varies(self) -> bool:
        """Whether there is anything to learn."""
        return len(self.truth) > 1 and bool((self.truth != self.truth[0]).any())

    def marginal(self) -> NDArray[np.float64]:
        """Return what is known without any other column: the mean [1], or the shares of levels [size]."""
        if self.number:
            return np.array([self.truth.mean() if len(self.truth) else 0.0])
        counts = np.bincount(self.levels, minlength=self.block.size) + 1 / max(1, self.block.size)
        return np.asarray(counts / counts.sum())

    def outputs(self) -> NDArray[np.float64]:
        """Return the truth as regressions want it: numbers [m, 1], or indicators [m, size]."""
        return self.truth[:, None] if self.number else np.eye(self.block.size)[self.levels]

    def proper(self, outputs: NDArray[Any]) -> Floats:
        """Return regressions' outputs [k, size] as predictions: numbers as they are, probabilities that sum to 1."""
        if self.number:
            return outputs.astype(np.float32)
        positive = np.maximum(outputs, SMALLEST)
        return np.asarray(positive / positive.sum(axis=1, keepdims=True), dtype=np.float32)

    def spread_out(self, probabilities: NDArray[Any], classes: NDArray[Any]) -> Floats:
        """Return probabilities of the classes that a classifier knows as those of all levels, [k, size]."""
        spread = np.zeros((len(probabilities), self.block.size), dtype=np.float32)
        spread[:, classes.astype(np.intp)] = probabilities
        return spread
