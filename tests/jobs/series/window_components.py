"""A plugin with small models of series: principal components of windows, and windows drawn again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Cells, Encoded, Filled, Floats, Model, Run, Scores, hookimpl, param


@dataclass(kw_only=True)
class WindowComponents(Model):
    """The squared distance of a window from a subspace, and from there its fills."""

    name = "window-pca"
    modalities = ("series",)
    components: int = param(4, low=1, high=50, help="Dimensions of the subspace.")

    def fit(self, data: Encoded, run: Run) -> Self:
        flat = np.where(data.observed, data.values, 0).reshape(len(data), -1)
        self.mean_ = flat.mean(axis=0)
        self.axes_ = np.linalg.svd(flat - self.mean_, full_matrices=False)[2][: self.components]
        return self

    def score(self, data: Encoded) -> Scores:
        return self._squares(data).sum(axis=(1, 2))

    def explain(self, data: Encoded) -> Cells:
        return Cells(self._squares(data), self._expected(data))

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        return Filled(np.where(data.observed, data.values, self._expected(data)))

    def _squares(self, data: Encoded) -> Scores:
        return np.where(data.observed, data.values - self._expected(data), 0).astype(np.float64) ** 2

    def _expected(self, data: Encoded) -> Floats:
        filled = np.where(data.observed.reshape(len(data), -1), data.values.reshape(len(data), -1), self.mean_)
        # One row at a time: a product of matrices depends on how many rows there are.
        codes = ((filled - self.mean_)[:, None, :] * self.axes_).sum(axis=2)
        guess = self.mean_ + (codes[:, :, None] * self.axes_).sum(axis=1)
        return guess.astype(np.float32).reshape(data.values.shape)


@dataclass(kw_only=True)
class WindowBootstrap(Model):
    """Draws training windows again."""

    name = "window-bootstrap"
    modalities = ("series",)

    def fit(self, data: Encoded, run: Run) -> Self:
        self.windows_ = data.values[data.observed.all(axis=(1, 2))]
        return self

    def sample(self, given: Encoded, run: Run) -> Encoded:
        drawn = self.windows_[[run.rng.integers(len(self.windows_)) for _ in range(len(given))]]
        return Encoded(drawn, np.ones_like(given.observed), given.layout)


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    return [WindowComponents, WindowBootstrap]
