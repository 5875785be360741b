"""A robust z-score: numbers count by their distance from the median, categories by their rarity."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import FIRST_LEVEL, Cells, Encoded, Filled, Floats, Model, Run, Scores, hookimpl, param


@dataclass(kw_only=True)
class ZScore(Model):
    """Score a row by the sum of its cells' anomaly scores; impute a cell by its column's most typical value."""

    name = "zscore"
    rarity: float = param(1.0, low=0.0, help="How much a rare category counts beside a number far from the median.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Count levels; numbers need no fit, as the encoder has centred and scaled them robustly."""
        blocks = data.layout.blocks
        self.typical_ = np.zeros(len(blocks), dtype=np.float32)
        self.surprisal_ = np.zeros((len(blocks), FIRST_LEVEL + max((block.size for block in blocks), default=0)))
        for block in blocks:
            if block.size:
                column = data.values[data.observed[:, block.position], block.position]
                counts = np.bincount(column.astype(int), minlength=FIRST_LEVEL + block.size)[FIRST_LEVEL:]
                share = (counts + 1) / (
                    counts.sum() + block.size
                )  # a level that is absent here is rare, not impossible
                self.surprisal_[block.position, FIRST_LEVEL : FIRST_LEVEL + block.size] = -np.log(share)
                self.typical_[block.position] = FIRST_LEVEL + share.argmax()
        return self

    def score(self, data: Encoded) -> Scores:
        """Sum the contributions of each row."""
        return np.asarray(self.explain(data).contribution.sum(axis=1))

    def explain(self, data: Encoded) -> Cells:
        """Return |z| of numbers and -log(frequency) of categories; hidden cells contribute nothing."""
        contribution = np.zeros(data.values.shape)  # (n, columns)
        for block in data.layout.blocks:
            column = data.values[:, block.position]
            score = self.rarity * self.surprisal_[block.position][column.astype(int)] if block.size else np.abs(column)
            contribution[:, block.position] = np.where(data.observed[:, block.position], score, 0.0)
        return Cells(contribution, self._typical(data))

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Impute numbers by their median, categories by their most frequent level."""
        return Filled(np.where(data.observed, data.values, self._typical(data)))

    def _typical(self, data: Encoded) -> Floats:
        return np.broadcast_to(self.typical_, data.values.shape).copy()


@hookimpl
def anomalo_models() -> list[type[Model]]:
    """Give anomalo the model."""
    return [ZScore]
