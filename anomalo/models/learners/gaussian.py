"""A joint Gaussian of columns with missing values: mean and covariance by EM, and conditional distributions."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask, Scores

CELLS = 4_000_000
"""At most this many float64 cells of conditional covariances are held at a time."""
LARGE = 200
"""Larger matrices are inverted by their Cholesky factor."""

Conditional = tuple[NDArray[np.intp], NDArray[np.intp], Scores, Scores]


def conditional(precision: Scores, pull: Scores, hidden: Mask) -> Iterator[Conditional]:
    """Yield the distribution of the hidden cells of rows given their other cells.

    With d the deviations from the mean, 0 where hidden, and P the precision matrix, the deviations of the hidden
    columns M have the covariance C = (P_MM)^-1 and the mean -C (P d)_M.

    Parameters
    ----------
    precision : float64 [columns, columns]
    pull : float64 [n, columns]
        P d of each row.
    hidden : bool [n, columns]

    Yields
    ------
    rows : intp [r]
        Rows that hide m > 0 columns each.
    at : intp [r, m]
        The hidden columns, ascending.
    mean : float64 [r, m]
    covariance : float64 [r, m, m]

    Reference: Rue and Held (2005), Gaussian Markov random fields, theorem 2.5.
    """
    count = hidden.sum(axis=1)
    for width in np.unique(count[count > 0]):
        same = np.flatnonzero(count == width)
        step = max(1, CELLS // int(width) ** 2)
        for start in range(0, len(same), step):
            rows = same[start : start + step]
            patterns, which = np.unique(np.packbits(hidden[rows], axis=1), axis=0, return_inverse=True)
            at = np.nonzero(np.unpackbits(patterns, axis=1, count=hidden.shape[1]))[1].reshape(-1, width)
            inverted = inverse(precision[at[:, :, None], at[:, None, :]])
            which = which.reshape(-1)
            at, covariance = at[which], inverted[which]
            mean: Scores = -(covariance * np.take_along_axis(pull[rows], at, axis=1)[:, None, :]).sum(axis=2)
            yield rows, at, mean, covariance


def inverse(matrix: Scores) -> Scores:
    """Return the inverse of symmetric positive definite matrices, float64 [..., k, k]."""
    if matrix.ndim == 2 and len(matrix) >= LARGE:
        from scipy.linalg import cho_factor, lapack

        found, _ = lapack.dpotri(cho_factor(matrix, lower=True)[0], lower=1)
        return np.asarray(np.tril(found) + np.tril(found, -1).T, dtype=np.float64)
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def expectation_maximisation(
    matrix: Scores,
    seen: Mask,
    ridge: Scores,
    rounds: int,
    tolerance: float,
    start: tuple[Scores, Scores] | None = None,
) -> tuple[Scores, Scores]:
    """Return the mean [columns] and covariance [columns, columns] of rows with missing values.

    The covariance is that of the completed rows, plus the conditional covariances of missing values, plus the ridge on
    the diagonal: the posterior mode under an inverse Wishart prior. At convergence each column's expectation is its
    ridge regression on the others.

    Parameters
    ----------
    matrix : float64 [n, columns]
        Of about unit scale; values where `seen` is False are not read.
    seen : bool [n, columns]
    ridge : float64 [columns]
        Variance that is added to each column.
    rounds : int
        Steps at most; fewer if no entry changes by more than the tolerance.
    tolerance : float
    start : (float64 [columns], float64 [columns, columns]), optional
        Mean and covariance to start from; those of independent columns by default.

    Reference: Little and Rubin (2019), Statistical analysis with missing data, 3rd ed., section 11.2; Schafer (1997),
    Analysis of incomplete multivariate data, section 5.2.3 (the ridge prior).
    """
    mean, covariance = _independent(matrix, seen, ridge) if start is None else start
    for _ in range(rounds):
        deviation, uncertain = _completed(matrix - mean, seen, inverse(covariance))
        step = deviation.mean(axis=0)
        deviation -= step
        estimate = (deviation.T @ deviation + uncertain) / len(matrix) + np.diag(ridge)
        change = max(np.abs(estimate - covariance).max(initial=0.0), np.abs(step).max(initial=0.0))
        mean, covariance = mean + step, estimate
        if change < tolerance:
            break
    return mean, covariance


def _independent(matrix: Scores, seen: Mask, ridge: Scores) -> tuple[Scores, Scores]:
    """Return the mean and covariance of independent columns."""
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, matrix, 0.0).sum(axis=0) / count
    return mean, np.diag(np.where(seen, np.square(matrix - mean), 0.0).sum(axis=0) / count + ridge)


def _completed(deviation: Scores, seen: Mask, precision: Scores) -> tuple[Scores, Scores]:
    """Return deviations with missing values at their expectation, and the sum of their conditional covariances."""
    deviation = np.where(seen, deviation, 0.0)
    uncertain = np.zeros(precision.size)
    pull = deviation @ precision
    for rows, at, mean, covariance in conditional(precision, pull, ~seen):
        deviation[rows[:, None], at] = mean
        np.add.at(uncertain, (at[:, :, None] * len(precision) + at[:, None, :]).ravel(), covariance.ravel())
    return deviation, uncertain.reshape(precision.shape)
