"""The imputer `chained`: linear chained equations in closed form, by a joint Gaussian of numbers and indicators."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from anomalo.plugin import (
    Conditional,
    ConditionalImputer,
    Encoded,
    Floats,
    HeldOutPredictions,
    Mask,
    Run,
    Scores,
    conditional,
    expectation_maximisation,
    in_row_blocks,
    inverse,
    param,
    row_uniform,
)
from anomalo_baselines.imputers.indicators import indicator_matrix, level_shares, probabilities, source_columns
from anomalo_baselines.subsample import subsample

TOLERANCE = 1e-3
"""EM stops when no mean or covariance of the columns, which have unit variance, changes by more."""


@dataclass(kw_only=True)
class ChainedImputer(ConditionalImputer):
    """The conditional expectation of missing values under one Gaussian of all columns, levels as indicators.

    At convergence it imputes as ridge regressions of every column on all others do, repeated in turn until they no
    longer change (chained equations); but it is fitted by EM, and imputes a new row without iterations, whichever of
    its values are missing. A category's expected indicators are turned into probabilities by linear discriminant
    analysis. The draws of a row's numbers have the correlations of the Gaussian.

    Reference: Little and Rubin (2019), Statistical analysis with missing data, 3rd ed., chapter 11; van Buuren (2018),
    Flexible imputation of missing data, 2nd ed., section 4.5.

    Examples
    --------
    >>> ChainedImputer(ridge=0.1).params()
    {'ridge': 0.1, 'rounds': 50, 'reference': 20000}
    """

    name = "chained"

    ridge: float = param(
        0.01, low=1e-6, high=1e6, help="Variance added to columns: numbers have 1, indicators are 0 or 1."
    )
    rounds: int = param(50, low=1, high=10_000, help="Steps of EM at most.")
    reference: int = param(20_000, low=1, high=10_000_000, help="How many training rows to learn from, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Estimate the Gaussian."""
        data = subsample(data, self.reference, run)
        matrix, seen = indicator_matrix(data)
        self.shares_ = np.concatenate([np.zeros(0), *level_shares(data).values()])
        self.centre_, self.scale_ = _moments(matrix, seen, np.isin(source_columns(data.layout), data.layout.numbers))
        scaled = (matrix - self.centre_) / self.scale_
        ridge = np.full(len(self.centre_), self.ridge)
        self.mean_, covariance = expectation_maximisation(scaled, seen, ridge, self.rounds, TOLERANCE)
        self.covariance_, self.precision_ = covariance, inverse(covariance)
        self.remember(data, run, self._held_out(data))
        return self

    def predict(self, data: Encoded) -> tuple[Floats, dict[int, Floats]]:
        """Return conditional expectations, and probabilities by position."""
        predicted = np.zeros(data.values.shape, dtype=np.float32)
        shares, column = self._shares(data), source_columns(data.layout)
        proba = {position: np.tile(share, (len(data), 1)).astype(np.float32) for position, share in shares.items()}
        for rows, at, deviation, covariance in self._conditional(data):
            expected = self.mean_[at] + deviation
            for position in np.unique(column[at]):
                here, found = _runs(column[at] == position)
                parts = np.flatnonzero(column == position)
                mean = np.take_along_axis(expected[here], found, axis=1)
                if position not in shares:
                    predicted[rows[here], position] = mean[:, 0] * self.scale_[parts] + self.centre_[parts]
                else:
                    part = covariance[here[:, None, None], found[:, :, None], found[:, None, :]]
                    total = self.covariance_[np.ix_(parts, parts)]
                    proba[position][rows[here]] = probabilities(mean, part, total, shares[position])
        return predicted, proba

    def error_scale(self, data: Encoded) -> Floats:
        """Return missing numbers' conditional standard deviations, 1 for other cells, float32 [n, columns]."""
        scale = np.ones(data.values.shape, dtype=np.float32)
        column = source_columns(data.layout)
        number = np.isin(column, data.layout.numbers)
        for rows, at, _, covariance in self._conditional(data):
            deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)) * self.scale_[at]
            row, found = np.nonzero(number[at])
            scale[rows[row], column[at[row, found]]] = deviation[row, found]
        return scale

    def uniform(self, data: Encoded, draws: int) -> NDArray[np.float64]:
        """Return the quantile of each draw; those of a row's missing numbers have the Gaussian's dependence.

        Reference: Nelsen (2006), An introduction to copulas, 2nd ed., section 2.3 (the Gaussian copula).
        """
        uniform = row_uniform(data, self.seed_, draws)
        column = source_columns(data.layout)
        number = np.isin(column, data.layout.numbers)
        for rows, at, _, covariance in self._conditional(data):
            count = number[at].sum(axis=1)
            for width in np.unique(count[count > 1]):
                here = np.flatnonzero(count == width)
                found = np.nonzero(number[at[here]])[1].reshape(-1, width)
                part = covariance[here[:, None, None], found[:, :, None], found[:, None, :]]
                cells = rows[here, None], column[np.take_along_axis(at[here], found, axis=1)]
                uniform[:, *cells] = _copula(part, uniform[:, *cells])
        return uniform

    def _shares(self, data: Encoded) -> dict[int, Scores]:
        """Return the training shares of each category's levels, by position."""
        ends = np.cumsum([data.layout.blocks[position].size for position in data.layout.categories], dtype=np.intp)
        parts = np.split(self.shares_, ends)[:-1]
        return {int(position): part for position, part in zip(data.layout.categories, parts, strict=True)}

    def _deviation(self, data: Encoded) -> tuple[Scores, Mask]:
        """Return scaled deviations from the mean, 0 where hidden, and which are observed, each [n, width]."""
        matrix, seen = indicator_matrix(data)
        return np.where(seen, (matrix - self.centre_) / self.scale_ - self.mean_, 0.0), seen

    def _conditional(self, data: Encoded) -> Iterator[Conditional]:
        deviation, seen = self._deviation(data)
        pull = in_row_blocks(deviation, lambda block: block @ self.precision_)
        return conditional(self.precision_, pull, ~seen)

    def _held_out(self, data: Encoded) -> HeldOutPredictions:
        """Return the conditional expectation of each observed number if it were hidden as well.

        With P the precision of the row's observed columns and d their deviations, that lies (P d)_j / P_jj below it,
        with the variance 1 / P_jj. As the fit used these rows, the errors are divided by 1 - free / rows, which
        estimates those of new rows. The ridge is a part of the variance v in each principal direction: 1 - ridge / v
        columns are free.

        Reference: Rue and Held (2005), theorem 2.3; Golub, Heath and Wahba (1979), Generalized cross-validation as a
        method for choosing a good ridge parameter, Technometrics 21.
        """
        deviation, seen = self._deviation(data)
        strength = np.tile(np.diag(self.precision_), (len(data), 1))
        for rows, at, mean, covariance in self._conditional(data):
            deviation[rows[:, None], at] = mean
            across = self.precision_[at]
            strength[rows] -= np.einsum("rmp,rmk,rkp->rp", across, covariance, across, optimize=True)
        strength = np.where(seen, strength, 1.0)
        pull = deviation @ self.precision_
        free = float(np.sum(1 - self.ridge / np.linalg.eigvalsh(self.covariance_)))
        held_out = {}
        for position in data.layout.numbers:
            column = int(np.searchsorted(source_columns(data.layout), position))
            rows = np.flatnonzero(seen[:, column])
            truth = data.values[rows, position].astype(np.float64)
            optimism = 1 - min(0.9, free / max(1, len(rows)))
            predicted = truth - pull[rows, column] / strength[rows, column] * self.scale_[column]
            error = pull[rows, column] / np.sqrt(strength[rows, column]) / optimism
            held_out[int(position)] = predicted, predicted + error
        return held_out


def _moments(matrix: Scores, seen: Mask, number: Mask) -> tuple[Scores, Scores]:
    """Return means and standard deviations [width] of the observed cells; the latter 1 for indicators and constants."""
    count = np.maximum(seen.sum(axis=0), 1)
    centre = np.where(seen, matrix, 0.0).sum(axis=0) / count
    scale = np.sqrt(np.where(seen, np.square(matrix - centre), 0.0).sum(axis=0) / count)
    return centre, np.where(number & (scale > 0), scale, 1.0)


def _runs(mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of a mask [r, m] with a True, and the columns of their runs of True, [k] and [k, width]."""
    here = np.flatnonzero(mask.any(axis=1))
    return here, mask[here].argmax(axis=1)[:, None] + np.arange(int(mask[here[0]].sum()))


def _copula(covariance: Scores, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give independent uniform numbers [draws, r, m] the dependence of Gaussians with covariances [r, m, m]."""
    tiny = 2.0**-53
    scale = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    factor = np.linalg.cholesky(covariance) / scale[:, :, None]
    normal = ndtri(np.clip(uniform, tiny, 1 - tiny))
    drawn: Scores = np.clip(ndtr((factor * normal[:, :, None, :]).sum(axis=3)), 0.0, 1 - tiny)
    return drawn
