"""The generator `copula`: a Gaussian copula, with each column's distribution and the correlation of each pair."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Mask, Model, Run, Scores, TableTransform, expectation_maximisation, param
from anomalo_baselines.generators.latent_intervals import Codes, LatentIntervals
from anomalo_baselines.subsample import subsample

ROWS = 20_000
"""Training rows that are used, at most."""
ROUNDS, TOLERANCE = 20, 1e-3
RIDGE = 0.01
"""Variance that is added to each latent column."""


@dataclass(kw_only=True)
class GaussianCopula(Model):
    """A latent Gaussian for every row, whose scores become cells by the columns' distributions.

    A level, a repeated value or a missing value is an interval of a score with its frequency as probability. Given
    numbers are conditions in closed form; given levels are intervals, within which scores are drawn by Gibbs sampling.

    Reference: Nelsen (2006), An introduction to copulas, section 2.3; Hoff (2007), Extending the rank likelihood for
    semiparametric copula estimation, Annals of Applied Statistics 1 (the intervals and the sampler).

    Examples
    --------
    >>> GaussianCopula(sweeps=5).params()
    {'sweeps': 5}
    """

    name = "copula"

    sweeps: int = param(10, low=1, high=10_000, help="Sweeps of Gibbs sampling for levels that are given.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the columns' distributions, and the correlations of their latent scores."""
        data = subsample(data, ROWS, run)
        transform = TableTransform.fit(data)
        self.transform_, self.columns_ = transform.pack()
        parts = transform.forward(data, run.rng)
        counts = [np.bincount(parts.codes[:, at], minlength=size) for at, size in enumerate(transform.sizes)]
        self.upto_ = np.concatenate([np.zeros(0), *(np.cumsum(count) / len(data) for count in counts)])
        means = [interval.means()[parts.codes[:, at]] for at, interval in enumerate(self._intervals(transform))]
        latent = np.column_stack([*means, parts.numbers.astype(np.float64)])
        known = np.column_stack([np.ones(parts.codes.shape, dtype=bool), parts.known_numbers])
        ridge = np.full(latent.shape[1], RIDGE)
        covariance = expectation_maximisation(latent, known, ridge, ROUNDS, TOLERANCE)[1]
        # Means of intervals vary less than scores do.
        scale = np.sqrt(np.diag(covariance))
        self.correlation_ = covariance / np.outer(scale, scale)
        return self

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return rows of cells whose scores are drawn from the Gaussian, given the observed ones."""
        transform = TableTransform.unpack(self.transform_, self.columns_)
        intervals, known = self._intervals(transform), transform.condition(given, run.rng, synthetic=True)
        assert known.allowed is not None
        given_levels = [~allowed.all(axis=1) for allowed in known.allowed]
        conditions = np.column_stack([np.zeros((len(given), 0), dtype=bool), *given_levels, known.known_numbers])
        latent = np.column_stack([np.zeros(known.codes.shape), known.numbers.astype(np.float64)])
        codes = known.codes.copy()
        for rows in _by_pattern(conditions):
            at, rest = np.flatnonzero(conditions[rows[0]]), np.flatnonzero(~conditions[rows[0]])
            levels = at[at < len(intervals)]
            allowed = {column: known.allowed[column][rows] for column in levels.tolist()}
            conditioned = latent[np.ix_(rows, at)]
            codes[np.ix_(rows, levels)] = self._draw_given_levels(conditioned, at, intervals, allowed, run.rng)
            latent[np.ix_(rows, rest)] = self._conditional(conditioned, at, rest, run.rng)
        for column, interval in enumerate(intervals):
            free = ~conditions[:, column]
            codes[free, column] = interval.codes(latent[free, column])
        return transform.complete(latent[:, len(intervals) :].astype(np.float32), codes, given)

    def _intervals(self, transform: TableTransform) -> list[LatentIntervals]:
        ends = np.cumsum(transform.sizes, dtype=np.intp)
        return [LatentIntervals.of(upto) for upto in np.split(self.upto_, ends)[:-1]] if len(ends) else []

    def _draw_given_levels(
        self,
        scores: Scores,
        at: NDArray[np.intp],
        intervals: list[LatentIntervals],
        allowed: dict[int, Mask],
        rng: np.random.Generator,
    ) -> Codes:
        """Draw the latent scores of given levels, in place in `scores` [n, at], and return their codes [n, levels]."""
        codes = np.zeros((len(scores), len(allowed)), dtype=np.int64)
        precision = np.linalg.inv(self.correlation_[np.ix_(at, at)]) if len(allowed) else np.zeros((0, 0))
        for _ in range(self.sweeps):
            for number, (column, possible) in enumerate(allowed.items()):
                mean = scores[:, number] - (scores @ precision[number]) / precision[number, number]
                scale = precision[number, number] ** -0.5
                scores[:, number], codes[:, number] = intervals[column].draw(mean, scale, possible, rng)
        return codes

    def _conditional(
        self, scores: Scores, at: NDArray[np.intp], rest: NDArray[np.intp], rng: np.random.Generator
    ) -> Scores:
        """Draw the other scores [n, rest], given scores [n, at]."""
        across = self.correlation_[np.ix_(rest, at)]
        weight = np.linalg.solve(self.correlation_[np.ix_(at, at)], across.T)
        covariance = self.correlation_[np.ix_(rest, rest)] - across @ weight
        root = np.linalg.cholesky(covariance + 1e-9 * np.eye(len(rest)))
        drawn: Scores = scores @ weight + rng.standard_normal((len(scores), len(rest))) @ root.T
        return drawn


def _by_pattern(conditions: Mask) -> Iterator[NDArray[np.intp]]:
    """Yield the rows with the same columns given, pattern by pattern, from bool [n, columns]."""
    which = np.unique(np.packbits(conditions, axis=1), axis=0, return_inverse=True)[1].ravel()
    if len(which):
        yield from np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
