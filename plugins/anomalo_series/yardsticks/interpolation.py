"""Missing points bridged by straight lines, with or without the season taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Encoded, Filled, Mask, Model, Run, Scores, param
from anomalo_series.channels import Channels
from anomalo_series.seasons import period_within


@dataclass(kw_only=True)
class Interpolation(Model):
    """Fills missing points with the straight line between the points beside it, at an end with the nearest point.

    A channel of which a window shows nothing is filled with its mean in training.
    """

    name = "interpolation"
    modalities = ("series",)

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the means of the channels."""
        values, seen = Channels(data.layout).open(data)
        count = seen.sum(axis=(0, 1)).clip(min=1)
        self.mean_ = np.asarray(np.einsum("ntc,ntc->c", values, seen, dtype=np.float64) / count, dtype=np.float64)
        return self

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden cells; there are no draws."""
        channels = Channels(data.layout)
        x, seen = channels.open(data)
        filled = channels.levels(self.bridged(np.where(seen, x, 0).astype(np.float64), seen).astype(np.float32))
        return Filled(np.where(data.observed, data.values, filled))

    def bridged(self, x: Scores, seen: Mask) -> Scores:
        """Return windows whose hidden cells are filled."""
        return bridged(x, seen, self.mean_)


@dataclass(kw_only=True)
class SeasonalInterpolation(Interpolation):
    """Takes the season out, fills missing points with the straight line between those beside, and puts it back.

    The season is the mean of a window's points at the same position in the period, less that of all its points; a
    position of which the window shows nothing has none.

    Reference: Moritz and Bartz-Beielstein (2017), imputeTS: time series missing value imputation in R, The R Journal 9.
    """

    name = "seasonal_interpolation"

    period: int = param(0, low=0, high=100_000, help="Points of a season; 0: found within the training windows.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the means of the channels, and the period."""
        self.period_ = self.period or period_within(data, run)
        return super().fit(data, run)

    def bridged(self, x: Scores, seen: Mask) -> Scores:
        """Return windows whose hidden cells are filled."""
        season = self._season(x, seen)
        return season + super().bridged(np.where(seen, x - season, 0.0), seen)

    def _season(self, x: Scores, seen: Mask) -> Scores:
        width = x.shape[1]
        if self.period_ >= width:  # no position is seen twice
            return np.zeros_like(x)
        mean = x.sum(axis=1) / seen.sum(axis=1).clip(min=1)
        season = np.zeros_like(x)
        for first in range(self.period_):
            count = seen[:, first :: self.period_].sum(axis=1)
            here = x[:, first :: self.period_].sum(axis=1) / count.clip(min=1) - mean
            season[:, first :: self.period_] = np.where(count > 0, here, 0.0)[:, None]
        return season


def bridged(x: Scores, seen: Mask, otherwise: Scores) -> Scores:
    """Return windows [n, T, C] whose hidden cells lie on straight lines; 0 where hidden before.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 0.0, 0.0, 4.0])[None, :, None]
    >>> bridged(x, x > 0, np.zeros(1))[0, :, 0].tolist()
    [1.0, 1.0, 2.0, 3.0, 4.0]
    """
    width = x.shape[1]
    at = np.arange(width)[None, :, None]
    before = np.maximum.accumulate(np.where(seen, at, -1), axis=1)
    after = np.minimum.accumulate(np.where(seen, at, width)[:, ::-1], axis=1)[:, ::-1]
    left, right = np.where(before < 0, after, before), np.where(after == width, before, after)
    low, high = (np.take_along_axis(x, end.clip(0, width - 1), axis=1) for end in (left, right))
    share = np.where(right > left, (at - left) / np.maximum(right - left, 1), 0.0)
    return np.where(seen.any(axis=1, keepdims=True), low + share * (high - low), otherwise)
