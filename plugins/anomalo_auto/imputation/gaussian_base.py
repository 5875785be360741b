"""The base of the imputer `blend`: a joint Gaussian of all entries, which completes rows also with a column hidden."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import (
    Floats,
    Mask,
    Scores,
    conditional,
    expectation_maximisation,
    in_row_blocks,
    inverse,
)

RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Variance added to every entry: numbers have 1, indicators at most 1/4. The first, unless entries are many."""
MANY = 1 / 4
"""With more entries than this share of the rows, the ridge is chosen by the error on the other half of the rows."""
ROUNDS, TOLERANCE = 50, 1e-3
"""Steps of EM at most; it stops when no mean or covariance changes by more than the tolerance."""
WORK, FEWEST_ROUNDS = 10**11, 4
"""Of wide tables fewer steps: the work is about the cube of the entries and the rows times their square in a step."""
STEPS_WITHOUT = 4
"""Steps of EM without the rows of a fold."""


@dataclass(frozen=True)
class GaussianBase:
    """One Gaussian of all entries; missing ones get their conditional expectation.

    Reference: Little and Rubin (2019), Statistical analysis with missing data, 3rd ed., section 11.2.

    Attributes
    ----------
    centre, scale : float64 [width]
        An entry less its centre, in units of its scale, is Gaussian.
    ridge : float64 [width]
        Variance that was added.
    covariance, precision : float64 [width, width]
    """

    centre: Scores
    scale: Scores
    ridge: Scores
    covariance: Scores
    precision: Scores

    @classmethod
    def fit(cls, matrix: Scores, seen: Mask, number: Mask) -> Self:
        """Fit to entries [n, width], of which `number` [width] are numbers."""
        count = np.maximum(seen.sum(axis=0), 1)
        centre = np.where(seen, matrix, 0.0).sum(axis=0) / count
        scale = np.sqrt(np.where(seen, np.square(matrix - centre), 0.0).sum(axis=0) / count)
        scale = np.where(number & (scale > 0), scale, 1.0)
        scaled = (matrix - centre) / scale
        ridge = np.full(len(centre), best_ridge(np.where(seen, scaled, 0.0), seen))
        rounds = max(FEWEST_ROUNDS, min(ROUNDS, WORK // max(1, len(centre) ** 2 * (len(matrix) + len(centre)))))
        mean, covariance = expectation_maximisation(scaled, seen, ridge, rounds, TOLERANCE)
        return cls(centre + mean * scale, scale, ridge, covariance, inverse(covariance))

    def without_each(self, matrix: Scores, seen: Mask, folds: NDArray[np.intp]) -> list[Self]:
        """Return the Gaussian of the rows without each fold [n], by some more steps of EM that leave its rows out.

        A step shrinks what is left of the fold's influence by the share of the information that is missing.

        Reference: Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm, JRSS
        B 39, section 3 (rate of convergence).
        """
        start = np.zeros(len(self.centre)), self.covariance
        found = []
        for fold in range(int(folds.max(initial=0)) + 1):
            rest = folds != fold if folds.any() else folds == fold
            scaled = self.deviations(matrix[rest], seen[rest])
            mean, covariance = expectation_maximisation(scaled, seen[rest], self.ridge, STEPS_WITHOUT, TOLERANCE, start)
            centre = self.centre + mean * self.scale
            found.append(replace(self, centre=centre, covariance=covariance, precision=inverse(covariance)))
        return found

    def correlation(self) -> Scores:
        """Return the entries' correlations, float64 [width, width]."""
        deviation = np.sqrt(np.diag(self.covariance))
        return np.asarray(self.covariance / np.outer(deviation, deviation))

    def deviations(self, matrix: Scores, seen: Mask) -> Scores:
        """Return scaled deviations from the mean, 0 where not observed, [n, width]."""
        return np.where(seen, (matrix - self.centre) / self.scale, 0.0)

    def complete(self, matrix: Scores, seen: Mask) -> Scores:
        """Return completed entries, [n, width]; a row's do not depend on the rows beside it."""
        deviation = self.deviations(matrix, seen)
        pull = in_row_blocks(deviation, lambda block: block @ self.precision)
        for rows, at, mean, _ in conditional(self.precision, pull, ~seen):
            deviation[rows[:, None], at] = mean
        return np.where(seen, matrix, deviation * self.scale + self.centre)


def best_ridge(deviation: Scores, seen: Mask) -> float:
    """Return the ridge with the smallest error of cells predicted from a row's others, fitted to other rows.

    Parameters
    ----------
    deviation, seen : float64, bool [n, width]
        Scaled deviations from the mean, 0 where not observed.

    Reference: Rue and Held (2005), Gaussian Markov random fields, theorem 2.5: a cell lies (P d)_j / P_jj above what
    its row's other cells predict, with P the precision matrix and d the deviations.
    """
    half = len(deviation) // 2
    if deviation.shape[1] <= MANY * len(deviation) or not half:
        return RIDGES[0]
    _, singular, axes = np.linalg.svd(deviation[:half], full_matrices=False)
    rows, scored = deviation[half:], seen[half:]
    along, variance, square = rows @ axes.T, np.square(singular) / half, np.square(axes)
    errors = []
    for ridge in RIDGES:
        share = variance / (variance + ridge)
        residual = (rows - (along * share) @ axes) / (1 - share @ square)
        errors.append(np.square(residual[scored]).sum())
    return RIDGES[int(np.argmin(errors))]


class _Group(NamedTuple):
    """Rows [r] with about equally many missing entries, which are padded to m by the entry behind the last one."""

    rows: NDArray[np.intp]
    model: NDArray[np.intp]
    at: NDArray[np.intp]
    covariance: NDArray[np.float32]


class HeldOutRows:
    """Training rows as Gaussians complete them that were fitted without them, also with one column hidden.

    Parameters
    ----------
    matrix, seen : float64, bool [n, width]
        The entries.
    models : sequence of GaussianBase
    folds : intp [n]
        The model that was fitted without each row.
    """

    def __init__(self, matrix: Scores, seen: Mask, models: Sequence[GaussianBase], folds: NDArray[np.intp]) -> None:
        self.seen, self.folds = seen, folds
        width = matrix.shape[1]
        self.centre, self.scale = (np.stack([getattr(m, name) for m in models]) for name in ("centre", "scale"))
        self.precision = np.pad(np.stack([model.precision for model in models]), ((0, 0), (0, 1), (0, 1)))
        self.deviation, self.pull = np.zeros((len(matrix), width + 1)), np.zeros((len(matrix), width))
        found: dict[int, list[_Group]] = {}
        for fold, model in enumerate(models):
            here = np.flatnonzero(folds == fold)
            deviation = model.deviations(matrix[here], seen[here])
            for rows, at, mean, covariance in conditional(model.precision, deviation @ model.precision, ~seen[here]):
                deviation[rows[:, None], at] = mean
                size = 1 << int(at.shape[1] - 1).bit_length()
                found.setdefault(size, []).append(_padded(here[rows], fold, at, covariance, width, size))
            self.deviation[here, :width] = deviation
            self.pull[here] = deviation @ model.precision
        self.groups = [_Group(*map(np.concatenate, zip(*parts, strict=True))) for parts in found.values()]
        complete = np.flatnonzero(seen.all(axis=1))
        nothing = np.zeros((len(complete), 0), dtype=np.intp)
        self.groups.append(_Group(complete, folds[complete], nothing, np.zeros((len(complete), 0, 0), np.float32)))

    def without(self, column: slice, others: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return completed entries of `others`, [n, k], and the column's, [n, size], with the column hidden.

        With P the precision of a row's entries, M its missing ones, C = (P_MM)^-1, B the column's, and d the completed
        deviations, B is expected S^-1 (P d)_B below d_B, where S = P_BB - P_BM C P_MB is its precision given what else
        is observed, and the expectation of M rises by C P_MB times as much.

        Reference: Rue and Held (2005), Gaussian Markov random fields, theorem 2.5.
        """
        hidden = np.arange(column.start, column.stop)
        chosen = np.concatenate([others, hidden])
        place = np.full(self.deviation.shape[1], len(chosen))
        place[chosen] = np.arange(len(chosen))
        found = self.deviation[:, np.append(chosen, -1)]
        for rows, fold, at, covariance in self._observing(column):
            across = self.precision[fold[:, None, None], at[:, :, None], hidden].astype(np.float32)
            regression = covariance @ across
            within = self.precision[fold[:, None, None], hidden[:, None], hidden]
            within = within - across.transpose(0, 2, 1) @ regression
            step = np.linalg.solve(within, self.pull[rows, column, None])
            found[rows[:, None], place[at]] += (regression @ step)[:, :, 0]
            found[rows[:, None], place[hidden]] -= step[:, :, 0]
        entries = found[:, :-1] * self.scale[:, chosen][self.folds] + self.centre[:, chosen][self.folds]
        entries = entries.astype(np.float32)
        return entries[:, : len(others)], entries[:, len(others) :]

    def _observing(self, entries: slice) -> Iterator[_Group]:
        """Yield the rows in which a column is observed; none if it has no entries."""
        if entries.start == entries.stop:
            return
        for group in self.groups:
            here = self.seen[group.rows, entries.start]
            if here.any():
                yield _Group(*(part[here] for part in group))


def _padded(
    rows: NDArray[np.intp], fold: int, at: NDArray[np.intp], covariance: Scores, padding: int, size: int
) -> _Group:
    """Return a group whose rows miss `size` entries, of which the last are the entry `padding`, with zeros."""
    more = size - at.shape[1]
    return _Group(
        rows,
        np.full(len(rows), fold),
        np.pad(at, ((0, 0), (0, more)), constant_values=padding),
        np.pad(covariance, ((0, 0), (0, more), (0, more))).astype(np.float32),
    )
