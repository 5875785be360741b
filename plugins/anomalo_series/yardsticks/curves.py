"""The residual of windows to smooth curves: polynomials, and waves with a trend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.polynomial import legendre

from anomalo.plugin import Encoded, Floats, Mask, Run, Scores, param
from anomalo_series.seasons import period_within
from anomalo_series.window_model import ExpectingModel

RIDGE = 1e-3
"""Penalty on what few observed points say of a curve, in parts of what a whole window says."""


@dataclass(kw_only=True)
class CurveModel(ExpectingModel):
    """Expects each channel of a window to follow a curve, fitted to its observed points by least squares."""

    def fit(self, data: Encoded, run: Run) -> Self:
        """Make the curves that are combined, and learn the usual energy."""
        self.basis_ = np.linalg.qr(self.curves(data, run))[0]
        self.learn_level(data, run)
        return self

    def curves(self, data: Encoded, run: Run) -> Scores:
        """Return the curves that are combined, as columns, float64 [T, curves]."""
        raise NotImplementedError

    def expected(self, x: Floats, seen: Mask) -> Floats:
        """Return the fitted curves."""
        codes = np.einsum("ntc,tk->nck", x.astype(np.float64), self.basis_)
        for row, channel in np.argwhere(~seen.all(axis=1)):
            basis = self.basis_[seen[row, :, channel]]
            gram = basis.T @ basis + RIDGE * np.eye(basis.shape[1])
            codes[row, channel] = np.linalg.solve(gram, codes[row, channel])
        return np.asarray(np.einsum("nck,tk->ntc", codes, self.basis_), dtype=np.float32)


@dataclass(kw_only=True)
class Polynomial(CurveModel):
    """Expects a polynomial of low degree, by default a cubic.

    Reference: Savitzky and Golay (1964), Smoothing and differentiation of data by simplified least squares procedures,
    Analytical Chemistry 36.
    """

    name = "polynomial"

    degree: int = param(3, low=0, high=20, help="Degree of the polynomial.")

    def curves(self, data: Encoded, run: Run) -> Scores:
        """Return the Legendre polynomials up to the degree, or to the number of points."""
        width = data.layout.shape[0]
        at = np.linspace(-1, 1, width) if width > 1 else np.zeros(1)
        return np.asarray(legendre.legvander(at, min(self.degree, width - 1)), dtype=np.float64)


@dataclass(kw_only=True)
class Seasonal(CurveModel):
    """Expects a linear trend and the first harmonics of the period: what is left is a decomposition's residual.

    The period is that of the waves within training windows, or the length of a window.

    Reference: Cleveland, Cleveland, McRae and Terpenning (1990), STL: a seasonal-trend decomposition procedure based on
    loess, for trend, season and residual; with waves as in Serfling (1963), Methods for current statistical analysis of
    excess pneumonia-influenza deaths, since a window does not say its phase.
    """

    name = "seasonal"

    period: int = param(0, low=0, high=100_000, help="Points of a season; 0: found within the training windows.")
    harmonics: int = param(4, low=1, high=50, help="Waves that a season is made of.")

    def curves(self, data: Encoded, run: Run) -> Scores:
        """Return a constant, a line, and the waves."""
        width = data.layout.shape[0]
        self.period_ = self.period or period_within(data, run)
        at = np.arange(width)
        waves = [np.ones(width), at / width]
        for number in range(1, min(self.harmonics, (width - 2) // 2, self.period_ // 2) + 1):
            angle = 2 * np.pi * number * at / self.period_
            waves += [np.sin(angle), np.cos(angle)]
        return np.stack(waves[:width], axis=1)
