"""A joint Gaussian of all cells of a window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from anomalo.plugin import (
    Cells,
    Encoded,
    Filled,
    Floats,
    Layout,
    Mask,
    Run,
    Scores,
    expectation_maximisation,
    inverse,
    param,
    row_uniform,
)
from anomalo_series.calendar import SeasonMeans
from anomalo_series.channels import Channels, Energies
from anomalo_series.fills import Distribution, filled_in_blocks, normal
from anomalo_series.sample import sampled
from anomalo_series.window_model import BLOCK, filled_up
from anomalo_series.yardsticks.joint import JointModel, bridged_rows
from anomalo_series.yardsticks.ridge import chosen
from anomalo_series.yardsticks.trial import error_in_stretches, parted

SAMPLED = 20_000
"""Training windows from which moments are learned, at most."""
RIDGE_OF_EM = 1e-2
"""Variance added to each cell in EM, at least, in encoded units squared."""
COMPLETE = 0.02
"""With at most this share of cells hidden, the moments of bridged windows are enough."""
WORK = 6e10
"""Multiplications of a step of EM, at most: fewer windows are taken instead."""
TOLERANCE = 1e-3
PHASES = 100
"""Training windows whose phases are kept, to draw windows of them."""


@dataclass(kw_only=True)
class Gaussian(JointModel):
    """Expects cells at their conditional mean given the window's other cells, and fills hidden ones with it.

    The moments are those of complete training windows; if few are complete, of all, their missing points bridged by
    straight lines. Where many points are missing, these are the start of few steps of EM: with more, the windows, which
    share points, are learned by heart. The variance that is added to each cell (the ridge) is the one of some under
    which held-out windows are the most likely. A window's energy is the squared Mahalanobis distance of its observed
    cells, of which a cell's part is its deviation times its own row of the precision.

    Where points have times, the usual course of the day (of the week from daily points on, of the year from weekly ones
    on) is taken out before and put back after it, if stretches hidden in the last fifth of the training windows are
    filled better so by the moments of the others.

    Reference: Little and Rubin (2019), Statistical analysis with missing data, 3rd ed., section 11.2; Hotelling (1947),
    Multivariate quality control, for the distance.
    """

    name = "gaussian"

    power: float = param(1.0, low=0.25, high=16.0, help="How much more the most anomalous windows count than others.")
    rounds: int = param(2, low=0, high=1000, help="Steps of EM at most, where training windows have missing points.")

    seed_ = 0
    course_ = np.zeros((1, 1))

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn mean and covariance, and whether the calendar says more."""
        self.seed_ = run.seed
        course = self._course(data, run)
        self.course_ = course.table
        if course and data.season is not None:
            self.phases_ = np.asarray(data.season[:: -(-len(data) // PHASES)])
        self._learn(course.taken_out(data), run)
        self.learn_level(course.taken_out(data), run)
        return self

    def _course(self, data: Encoded, run: Run) -> SeasonMeans:
        """Return the usual course of a cycle of the calendar if it helps to fill stretches that were not learned."""
        none, some = SeasonMeans.none(len(data.layout.blocks)), parted(data)
        if data.season is None or some is None:
            return none
        errors = []
        for course in (none, SeasonMeans.of(some[0])):
            tried = Gaussian(rounds=0)
            tried.course_ = course.table
            tried._learn(course.taken_out(some[0]), run)
            errors.append(error_in_stretches(tried, some[1], run.seed))
        return SeasonMeans.of(data) if errors[1] < errors[0] else none

    def _learn(self, data: Encoded, run: Run) -> None:
        matrix = sampled(data, run, SAMPLED)
        whole = bridged_rows(matrix, data.layout.shape[0])
        self.mean_, covariance = whole.mean(axis=0), np.cov(whole.T, bias=True).reshape(2 * whole.shape[1:])
        ridge, _ = chosen(whole, data.layout.shape[0])
        covariance += ridge * np.eye(len(covariance))
        bridged = len(whole) == len(matrix.seen)
        if bridged and matrix.seen.mean() < 1 - COMPLETE and self.rounds:
            some = np.arange(0, len(matrix.seen), _step(matrix.seen))
            start, ridges = (self.mean_, covariance), np.full(len(covariance), max(ridge, RIDGE_OF_EM))
            self.mean_, covariance = expectation_maximisation(
                matrix.values[some], matrix.seen[some], ridges, self.rounds, TOLERANCE, start
            )
        self.precision_ = inverse(covariance)

    def score(self, data: Encoded) -> Scores:
        """Return the sum of each window's parts, float64 [n]."""
        return super().score(SeasonMeans(self.course_).taken_out(data))

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's part of its window's score, and what is expected of it."""
        course = SeasonMeans(self.course_)
        cells = super().explain(course.taken_out(data))
        return Cells(cells.contribution, course.put_back(cells.expected, data))

    def energies(self, x: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the parts of the squared Mahalanobis distance, and the conditional means."""
        deviation, pull = self.completed(x, seen)
        energies = np.where(seen, (deviation * pull).reshape(x.shape), 0.0)
        residual = np.where(seen.reshape(pull.shape), pull / np.diag(self.precision_), 0.0)
        expected = self.mean_ + deviation - residual  # of an observed cell: given all others
        return energies, expected.reshape(x.shape).astype(np.float32)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden cells with their conditional means, 90 % intervals, and draws given all that is seen."""
        course = SeasonMeans(self.course_)
        found = filled_in_blocks(course.taken_out(data), lambda part: self._filled(part, draws))
        given = None if found.draws is None else self._joined(data, found.draws)
        low, high = (None if end is None else course.put_back(end, data) for end in (found.low, found.high))
        return Filled(self._joined(data, found.point), given, low=low, high=high)

    def _joined(self, data: Encoded, filled: Floats) -> Floats:
        """Return windows filled without their usual course, [..., n, T, C], with it; known cells to the bit."""
        return np.where(data.observed, data.values, SeasonMeans(self.course_).put_back(filled, data))

    def _filled(self, part: Encoded, draws: int) -> Distribution:
        x, seen = Channels(part.layout).open(part)
        shape = len(part), self.mean_.size
        rows = Encoded(x.reshape(shape), seen.reshape(shape), Layout("series", shape[1:], ()))
        mean, spread, drawn = self._distribution(x, seen, row_uniform(rows, self.seed_, draws))
        return Distribution(*(cells.reshape(*cells.shape[:-1], *x.shape[1:]) for cells in (mean, spread, drawn)))

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return windows drawn from the Gaussian given the observed cells, which are kept; none is missing."""
        channels, given = Channels(given.layout), self._with_phases(given, run)
        x, seen = channels.open(SeasonMeans(self.course_).taken_out(given))
        uniform = run.rng.random((1, len(x), self.mean_.size))
        some = seen.any(axis=(1, 2))
        drawn = np.zeros((len(x), self.mean_.size))
        for rows in np.array_split(np.flatnonzero(some), -(-int(some.sum()) // BLOCK) or 1):
            drawn[rows] = self._distribution(x[rows], seen[rows], uniform[:, rows])[2][0]
        factor = np.linalg.cholesky(inverse(self.precision_))
        for row in np.flatnonzero(~some):  # one by one: none depends on how many there are
            drawn[row] = self.mean_ + factor @ normal(uniform[0, row])
        levels = channels.levels(drawn.reshape(x.shape).astype(np.float32))
        return Encoded(self._joined(given, levels), np.ones_like(given.observed), given.layout)

    def _with_phases(self, given: Encoded, run: Run) -> Encoded:
        """Return windows with the phases of random ones of training where they have none."""
        if given.season is not None or not self.course_.any():
            return given
        return replace(given, season=self.phases_[run.rng.integers(len(self.phases_), size=len(given))])

    def _distribution(self, x: Floats, seen: Mask, uniform: Scores) -> tuple[Scores, Scores, Scores]:
        """Return mean and deviation of hidden cells given the others, [n, cells], and draws, [K, n, cells]."""
        deviation, _ = self.completed(*filled_up(x, seen))
        mean = self.mean_ + deviation[: len(x)]
        spread, drawn = np.zeros(mean.shape), np.repeat(mean[None], len(uniform), axis=0)
        noise = normal(uniform)
        for rows, at, _, covariance in self.conditionals(x, seen, np.asarray(~seen.all(axis=(1, 2)))):
            spread[rows[:, None], at] = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
            if len(uniform):
                factor = np.linalg.cholesky(covariance)
                drawn[:, rows[:, None], at] += (factor[None] @ noise[:, rows[:, None], at][..., None])[..., 0]
        return mean, spread, drawn


def _step(seen: Mask) -> int:
    """Return of how many windows one takes part in EM."""
    work = 2.0 * float(np.power((~seen).sum(axis=1, dtype=np.float64), 3).sum())
    return max(1, int(np.ceil(work / WORK)))
