"""The cell of a window that agrees least with the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Encoded, Floats, Mask, Run, param
from anomalo_series.channels import Energies
from anomalo_series.sample import sampled
from anomalo_series.yardsticks.joint import JointModel, bridged_rows
from anomalo_series.yardsticks.ridge import Moments, chosen, squared_residuals

SAMPLED = 20_000
"""Training windows from which moments are learned, at most."""
SHARP = 4
"""A cell's part is in proportion to this power of its squared residual."""


@dataclass(kw_only=True)
class LargestResidual(JointModel):
    """Scores a window by the largest residual of its cells given all others, standardised, under a joint Gaussian.

    One wrong point in a hundred hardly moves the mean over the window, and is the largest by far here. The variance
    that is added to each cell (the ridge) is chosen by windows that were held out, and so is the usual largest
    residual: where windows are few, those that were learned from stand out less than others.

    Reference: Cook and Weisberg (1982), Residuals and influence in regression, section 2.2, for deleted residuals;
    Hoerl and Kennard (1970), Ridge regression, Technometrics 12.
    """

    name = "largest_residual"

    power: float = param(2.0, low=0.25, high=16.0, help="How much more the most anomalous windows count than others.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn mean and covariance, the ridge, and the usual largest residual."""
        width = data.layout.shape[0]
        rows = bridged_rows(sampled(data, run, SAMPLED), width)
        ridge, excess = chosen(rows, width)
        moments = Moments.of(rows)
        self.mean_, self.precision_ = moments.mean, moments.precision(ridge)
        self.learn_level(data, run)
        self.level_ *= excess
        return self

    def energies(self, x: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return parts whose mean over observed cells is the largest squared residual, and the conditional means."""
        deviation, pull = self.completed(x, seen)
        had = seen.reshape(pull.shape)
        residual = np.where(had, pull / np.diag(self.precision_), 0.0)
        squares = np.where(had, squared_residuals(pull, self.precision_), 0.0)
        largest = squares.max(axis=1, keepdims=True)
        part = np.divide(squares, largest, out=np.zeros_like(squares), where=largest > 0) ** SHARP
        share = part / part.sum(axis=1, keepdims=True).clip(min=1.0)
        energies = had.sum(axis=1, keepdims=True) * largest * share
        expected = self.mean_ + deviation - residual
        return energies.reshape(x.shape), expected.reshape(x.shape).astype(np.float32)
