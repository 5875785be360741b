"""The base of the imputers `mean`, `median` and `mode`: each column is imputed from its own training values."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import FIRST_LEVEL, Encoded, Filled, Floats, Layout, Model, Run, row_uniform

POOL = 1024
"""Order statistics that are kept of each number, to draw from."""


@dataclass(kw_only=True)
class MarginalImputer(Model):
    """Imputes a number by a centre of its training values, a category by its most frequent level.

    Draws come from the column's training values, whatever the row's other cells. A column without a
    single observed training cell is imputed by 0 (the encoded centre) or the first level.
    """

    def centre(self, values: Floats) -> float:
        """Return the centre of a number's observed training values, float32 [m], m > 0."""
        raise NotImplementedError

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn each column's imputed value, order statistics and level frequencies."""
        self.seed_ = run.seed
        self.fill_ = np.zeros(len(data.layout.blocks), dtype=np.float32)
        self.pool_ = np.zeros((POOL, len(data.layout.numbers)), dtype=np.float32)
        for column, position in enumerate(data.layout.numbers):
            values = data.values[data.observed[:, position], position]
            if len(values):
                self.fill_[position] = self.centre(values)
                self.pool_[:, column] = _order_statistics(values)
        frequencies = [_frequencies(data, position) for position in data.layout.categories]
        self.frequencies_ = np.concatenate([np.empty(0, np.float32), *frequencies])
        for position, share in zip(data.layout.categories, frequencies, strict=True):
            self.fill_[position] = FIRST_LEVEL + (int(share.argmax()) if len(share) else 0)
        return self

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Impute missing values; `proba` holds the levels' training frequencies, the same for every row."""
        point = np.where(data.observed, data.values, self.fill_)
        shares = self._shares(data.layout)
        proba = {position: np.tile(share, (len(data), 1)) for position, share in shares.items()}
        return Filled(point, self._draw(data, shares, draws) if draws else None, proba)

    def _shares(self, layout: Layout) -> dict[int, Floats]:
        """Return each category's level frequencies, by position."""
        ends = np.cumsum([layout.blocks[position].size for position in layout.categories], dtype=np.intp)
        parts = np.split(self.frequencies_, ends[:-1]) if len(ends) else []
        return {int(position): part for position, part in zip(layout.categories, parts, strict=True)}

    def _draw(self, data: Encoded, shares: dict[int, Floats], draws: int) -> Floats:
        uniform = row_uniform(data, self.seed_, draws)
        drawn: Floats = np.empty(uniform.shape, dtype=np.float32)
        for column, position in enumerate(data.layout.numbers):
            drawn[:, :, position] = self.pool_[(uniform[:, :, position] * POOL).astype(np.intp), column]
        for position, share in shares.items():
            # Level i is drawn where the uniform number lies between the shares summed to i - 1 and to i.
            bounds = np.cumsum(share, dtype=np.float64)[:-1]
            drawn[:, :, position] = FIRST_LEVEL + np.searchsorted(bounds, uniform[:, :, position], side="right")
        np.copyto(drawn, data.values, where=data.observed)
        return drawn


def _order_statistics(values: Floats) -> Floats:
    """Return POOL of the values, at evenly spaced ranks."""
    ranks = ((np.arange(POOL) + 0.5) * len(values) / POOL).astype(np.intp)
    return np.asarray(np.sort(values)[ranks])


def _frequencies(data: Encoded, position: np.intp) -> NDArray[np.float32]:
    """Return the shares of a category's levels [size]; equal ones if no cell is observed."""
    size = data.layout.blocks[position].size
    codes = data.values[data.observed[:, position], position].astype(np.intp) - FIRST_LEVEL
    counts = np.bincount(codes, minlength=size)
    if not len(codes):
        counts = np.ones(size, dtype=np.intp)
    return np.asarray(counts / max(counts.sum(), 1), dtype=np.float32)
