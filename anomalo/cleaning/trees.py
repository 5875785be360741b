"""Boosted trees written out as plain numbers, read from a safetensors file and applied without any other library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from anomalo.errors import ArtefactError

BATCH = 65536
_FIELDS = ("feature", "threshold", "left", "right", "value", "roots", "baseline")


@dataclass(frozen=True)
class Trees:
    """A sum of binary trees.

    A node is a leaf where its `feature` is -1; else a row goes `left` if its feature is at most the `threshold`.

    Attributes
    ----------
    feature : int32 array [nodes]
        Which feature a node asks for.
    threshold : float64 array [nodes]
        What it is compared with.
    left, right : int32 array [nodes]
        The nodes that follow.
    value : float64 array [nodes]
        What a leaf adds to the log-odds.
    roots : int32 array [trees]
        Each tree's first node.
    baseline : float64 array [1]
        The log-odds before any tree.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]
    roots: NDArray[np.int32]
    baseline: NDArray[np.float64]

    def log_odds(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds of rows [n] by their features [n, features]."""
        parts = [self._log_odds(features[start : start + BATCH]) for start in range(0, len(features), BATCH)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _log_odds(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Divide the rows node by node, so that a column of the features is read in order."""
        columns = np.ascontiguousarray(features.T)
        total = np.full(len(features), self.baseline[0])
        for root in self.roots:
            waiting = [(root, np.arange(len(features)))]
            while waiting:
                node, rows = waiting.pop()
                if self.feature[node] < 0:
                    total[rows] += self.value[node]
                    continue
                small = columns[self.feature[node]].take(rows) <= self.threshold[node]
                parts = (self.left[node], rows[small]), (self.right[node], rows[~small])
                waiting += [part for part in parts if len(part[1])]
        return total

    def tensors(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by `<name>.<field>`, as `from_tensors` reads them."""
        return {f"{name}.{field}": np.ascontiguousarray(getattr(self, field)) for field in _FIELDS}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[np.generic]], name: str) -> Trees:
        """Rebuild trees from `tensors`.

        Raises
        ------
        ArtefactError
            An array is missing, or nodes point outside the tree.
        """
        try:
            trees = cls(**{field: tensors[f"{name}.{field}"] for field in _FIELDS})  # type: ignore[arg-type]
        except KeyError as error:
            raise ArtefactError(f"the model of cells lacks {error}; install anomalo again") from error
        trees._check()
        return trees

    def _check(self) -> None:
        size, inner = len(self.feature), self.feature >= 0
        after = np.stack([self.left[inner], self.right[inner]])
        if (after <= np.flatnonzero(inner)).any() or (after >= size).any() or (self.roots >= size).any():
            raise ArtefactError("the trees of the model of cells are damaged; install anomalo again")


def read_trees(path: Path, names: tuple[str, ...]) -> tuple[Trees, ...]:
    """Read trees by name from a safetensors file."""
    tensors = safetensors.numpy.load_file(path)
    return tuple(Trees.from_tensors(tensors, name) for name in names)
