"""How many deviations a point is from the mean of the points before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Encoded, Floats, Mask, Run, param
from anomalo_series.channels import Energies
from anomalo_series.window_model import ExpectingModel

LEAST = 0.05
"""Deviations below this, in encoded units, count as so much: a constant stretch has none."""


@dataclass(kw_only=True)
class MovingZ(ExpectingModel):
    """Expects the mean of a window's other points, and measures only the last one, in their deviations.

    Reference: Shewhart (1931), Economic control of quality of manufactured product; with moving limits.
    """

    name = "moving_z"

    power: float = param(1.0, low=0.25, high=16.0, help="How much more the most anomalous windows count than others.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the usual energy."""
        self.learn_level(data, run)
        return self

    def expected(self, x: Floats, seen: Mask) -> Floats:
        """Return the mean of the points before the last, for all points."""
        before, had = x[:, :-1].astype(np.float64), seen[:, :-1]
        mean = np.where(had, before, 0.0).sum(axis=1) / had.sum(axis=1).clip(min=1)
        return np.broadcast_to(mean[:, None], x.shape).astype(np.float32)

    def energies(self, x: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the squared deviation of the last points, for the mean over all that are observed, and the mean."""
        squared, expected = super().energies(x, seen)
        variance = squared[:, :-1].sum(axis=1) / seen[:, :-1].sum(axis=1).clip(min=1)
        last = squared[:, -1] / np.maximum(variance, LEAST**2)
        last *= seen.sum(axis=(1, 2))[:, None] / seen[:, -1].sum(axis=1).clip(min=1)[:, None]
        energies = np.zeros(x.shape)
        energies[:, -1] = np.where(seen[:, :-1].any(axis=1), last, 0.0)
        return energies, expected
