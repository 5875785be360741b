"""Evidence in standard deviations from a table's mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.features import GROUPS, NAMES

Floats = NDArray[np.float64]

USED = tuple(name for name in NAMES if name not in GROUPS["column"])
"""The evidence about a cell; what describes its column is left out."""
_AT = [NAMES.index(name) for name in USED]
MOST = 4.0


@dataclass(frozen=True)
class Standard:
    """Mean and standard deviation of each kind of evidence over a table's cells, each [evidence]."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, features: Sequence[NDArray[np.float32]]) -> Standard:
        """Return those of the features [n, features] of each column."""
        count = max(sum(len(cells) for cells in features), 1)
        mean, square = np.zeros(len(_AT)), np.zeros(len(_AT))
        for cells in features:
            mean += cells[:, _AT].sum(axis=0, dtype=np.float64) / count
        for cells in features:
            square += ((cells[:, _AT] - mean) ** 2).sum(axis=0) / count
        return cls(mean, np.sqrt(square) + 1e-6)

    def scaled(self, cells: NDArray[np.float32]) -> Floats:
        """Return the evidence about cells, [n, evidence], in standard deviations from the mean, `MOST` at the most."""
        return np.asarray(np.clip((cells[:, _AT] - self.mean) / self.deviation, -MOST, MOST))

    def to_json(self) -> dict[str, Any]:
        """Return both by the evidence's names."""
        return {
            name: [mean, by] for name, mean, by in zip(USED, self.mean.tolist(), self.deviation.tolist(), strict=True)
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Standard:
        """Rebuild them from `to_json`."""
        pairs = np.array([values[name] for name in USED], dtype=np.float64)
        return cls(pairs[:, 0], pairs[:, 1])
