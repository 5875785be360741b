"""What imputers that predict each column from the others share: from predictions to fills, intervals and draws."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import FIRST_LEVEL, Encoded, Floats
from anomalo.models.base import Model, Run
from anomalo.models.residuals import residual_draws, residual_interval, residual_table
from anomalo.models.results import Filled
from anomalo.models.row_random import row_uniform

HeldOutPredictions = Mapping[int, tuple[NDArray[Any], NDArray[Any]]]
"""By the position of a number: predictions of training cells that the predictor did not see, and the true values."""


@dataclass(kw_only=True)
class ConditionalImputer(Model):
    """Fills a number by its prediction, a category by its most probable level.

    The error of a number's prediction is estimated from predictions of training cells that the predictor did not see.
    All fills lie in the range of the training values. Draws of two cells of a row are independent of each other.
    """

    def predict(self, data: Encoded) -> tuple[Floats, dict[int, Floats]]:
        """Return predictions of missing cells, float32 [n, columns], and probabilities [n, size] by position.

        What they hold for observed cells, and the predictions for categories, is never read.
        """
        raise NotImplementedError

    def error_scale(self, data: Encoded) -> Floats:
        """Return the scale of the predictions' errors, float32 [n, columns] > 0; 1 by default."""
        return np.ones(data.values.shape, dtype=np.float32)

    def remember(self, data: Encoded, run: Run, held_out: HeldOutPredictions) -> None:
        """Keep the seed, the numbers' ranges and errors of held-out predictions, in units of their `error_scale`."""
        self.seed_ = run.seed
        self.range_ = np.zeros((2, len(data.layout.blocks)), dtype=np.float32)
        nothing = np.zeros(0, dtype=np.float32)
        tables = []
        for position in data.layout.numbers:
            seen = data.values[data.observed[:, position], position]
            if len(seen):
                self.range_[:, position] = seen.min(), seen.max()
            tables.append(residual_table(*held_out.get(int(position), (nothing, nothing))))
        self.residuals_ = np.concatenate([np.zeros((0, 2), np.float32), *tables])
        self.residual_ends_ = np.cumsum([len(table) for table in tables], dtype=np.int64)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill missing cells; `proba` of an observed category is 1 for the level that it has."""
        predicted, proba = self.predict(data)
        point, low, high = data.values.copy(), data.values.copy(), data.values.copy()
        tables, error_scale = self._tables(data), self.error_scale(data)
        for position, table in tables.items():
            rows = ~data.observed[:, position]
            unit = error_scale[rows, position]
            middle = self._clipped(predicted[rows, position], position)
            point[rows, position] = middle
            ends = residual_interval(table, middle)
            for side, end in zip((low, high), ends, strict=True):
                side[rows, position] = self._clipped(middle + (end - middle) * unit, position)
        for position in data.layout.categories:
            low[:, position] = high[:, position] = np.nan
            proba[int(position)] = shares = _certain(data, position, proba[int(position)])
            rows = ~data.observed[:, position]
            point[rows, position] = FIRST_LEVEL + (shares[rows].argmax(axis=1) if shares.shape[1] else 0)
        drawn = self._draw(data, point, proba, tables, draws) if draws else None
        return Filled(point, drawn, proba, low, high)

    def uniform(self, data: Encoded, draws: int) -> NDArray[np.float64]:
        """Return where in its distribution each drawn cell lies, [draws, n, columns] in [0, 1)."""
        return row_uniform(data, self.seed_, draws)

    def _draw(
        self, data: Encoded, point: Floats, proba: Mapping[int, Floats], tables: Mapping[int, Floats], draws: int
    ) -> Floats:
        uniform, error_scale = self.uniform(data, draws), self.error_scale(data)
        drawn = np.repeat(data.values[None], draws, axis=0)
        for position, table in tables.items():
            rows = ~data.observed[:, position]
            middle = point[rows, position]
            error = residual_draws(table, middle, uniform[:, rows, position]) - middle
            drawn[:, rows, position] = self._clipped(middle + error * error_scale[rows, position], position)
        for position, shares in proba.items():
            rows = ~data.observed[:, position]
            bounds = np.cumsum(shares[rows, :-1], axis=1, dtype=np.float64)
            level = (uniform[:, rows, position, None] >= bounds).sum(axis=2)
            drawn[:, rows, position] = FIRST_LEVEL + level
        return drawn

    def _tables(self, data: Encoded) -> dict[int, Floats]:
        parts = np.split(self.residuals_, self.residual_ends_)[:-1]
        return {int(position): part for position, part in zip(data.layout.numbers, parts, strict=True)}

    def _clipped(self, values: Floats, position: int) -> Floats:
        clipped: Floats = np.clip(values, self.range_[0, position], self.range_[1, position])
        return clipped


def _certain(data: Encoded, position: np.intp, shares: Floats) -> Floats:
    """Return probabilities [n, size] in which an observed cell is certain."""
    seen = data.observed[:, position]
    level = data.values[:, position].astype(np.intp)[:, None] - FIRST_LEVEL
    certain: Floats = (level == np.arange(shares.shape[1])).astype(np.float32)
    return np.where(seen[:, None], certain, shares)
